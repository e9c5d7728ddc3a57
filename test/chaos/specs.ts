/** The specs under which the chaos runs: every way a run can end, on lanes of their own and on one that is shared. */
export interface ChaosSpec {
  name: string;
  repository: string;
  lane: string;
  /** How its runs may end: `state`, or `state/fault`. */
  ends: readonly string[];
  /** Whether the hub is told when a run ended so. */
  tells: readonly string[];
  /** More of its YAML. */
  more: string;
  /** Its last step. */
  last: string;
}

export const SHOP = 'acme/shop';
export const PAGES = 'acme/pages';
export const HUB = 'acme/hub';

export const CHAOS_SPECS: readonly ChaosSpec[] = [
  spec('newest', SHOP, { more: 'feedback: [status, deployment, check]' }),
  spec('every', SHOP, {
    lane: 'shared',
    more: 'concurrency: { lane: shared, queue: all }',
  }),
  spec('broken', SHOP, {
    last: 'exit 3',
    ends: ['failed/step', 'superseded'],
    tells: ['failed'],
  }),
  spec('shares', PAGES, { lane: 'shared', more: 'concurrency: shared' }),
  spec('eager', PAGES, {
    more: 'concurrency: { cancel-running: true }',
    ends: ['succeeded', 'superseded', 'cancelled'],
    tells: ['succeeded', 'cancelled'],
  }),
  spec('approved', PAGES, {
    // Each has its turn, or few would ever start.
    more: 'concurrency: { queue: all }\ngates: [{ approve: {} }]',
  }),
  spec('careful', PAGES, {
    more: 'on-interrupt: fail',
    ends: ['succeeded', 'superseded', 'failed/mainsheet'],
    tells: ['succeeded', 'failed'],
  }),
];

function spec(
  name: string,
  repository: string,
  chosen: Partial<Omit<ChaosSpec, 'name' | 'repository'>>,
): ChaosSpec {
  return {
    name,
    repository,
    lane: `${name}-production`,
    ends: ['succeeded', 'superseded'],
    tells: ['succeeded'],
    more: '',
    last: 'true',
    ...chosen,
  };
}

/** The YAML of all specs. Their steps write into the file `book`: see `book.ts`. */
export function chaosSpecsYaml(book: string): string {
  return CHAOS_SPECS.map((each) => yamlOf(each, book)).join('---\n');
}

function yamlOf({ name, repository, lane, more, last, tells }: ChaosSpec, book: string): string {
  return `
name: ${name}
repository: ${repository}
on: { push: { branches: [main] } }
${more}
env: { BOOK: '${book}', LANE: '${lane}' }
steps:
  - name: Build
    env: { STEP: build }
    run: |
${indented(WRITE)}
      echo "built=$mark" >> "$MAINSHEET_OUTPUT"
  - name: Deploy
    env: { STEP: deploy, BUILT: "\${{ outputs.built }}" }
    run: |
${indented(WRITE)}
      test "$BUILT" = "$mark"
      ${last}
notify:
  - on: [${tells.join(', ')}]
    dispatch:
      repository: ${HUB}
      event-type: told
      payload: { run: "\${{ run.id }}", state: "\${{ run.state }}" }
`;
}

/** A step that works for as long as its commit says, and says in the book what it is and when it does something. */
const WRITE = `exec 9>>"$BOOK"
read -r mark < mark || true
read -r pace < pace || true
say() { echo "$1 $LANE $MAINSHEET_RUN_ID $STEP $$ $mark" >&9; }
say start
while [ "$pace" -gt 0 ]; do sleep 0.05; say works; pace=$((pace - 1)); done
say end`;

function indented(text: string): string {
  return text.replaceAll(/^/gm, '      ');
}
