import type { TextIssue } from './expression-checks.ts';
import { parseTemplate } from './template.ts';

/**
 * `${{ … }}` in a step's `run` is an error: there a branch name or a commit message would become code. Each issue says
 * which environment variable holds the value instead.
 *
 * `secrets`: those that the script sees; undefined for a script on another machine, which sees what its `env` says.
 *
 * https://docs.github.com/en/actions/security-for-github-actions/security-guides/security-hardening-for-github-actions
 */
export function checkRunText(text: string, secrets: ReadonlySet<string> | undefined): TextIssue[] {
  return parseTemplate(text).flatMap((part): TextIssue[] => {
    if (part.kind === 'text') return [];
    const source = part.kind === 'expression' ? part.source : '';
    return [
      {
        message: '"${{ … }}" is not allowed in "run", where a value would become code',
        hint: instead(source, secrets),
        offset: part.kind === 'expression' ? text.lastIndexOf('${{', part.offset) : part.offset,
      },
    ];
  });
}

/** What is there already, by the expression that people write for it here and in GitHub Actions. */
const VARIABLES: Record<string, string> = {
  'run.id': 'RUN_ID',
  'run.spec': 'SPEC',
  'spec.name': 'SPEC',
  'run.environment': 'ENVIRONMENT',
  'spec.environment': 'ENVIRONMENT',
  'run.repository': 'REPOSITORY',
  'spec.repository': 'REPOSITORY',
  'event.repository.full_name': 'REPOSITORY',
  'github.repository': 'REPOSITORY',
  'run.ref': 'REF',
  'event.ref': 'REF',
  'github.ref': 'REF',
  'run.branch': 'BRANCH',
  'github.ref_name': 'BRANCH',
  'run.tag': 'TAG',
  'event.release.tag_name': 'TAG',
  'run.sha': 'SHA',
  'event.after': 'SHA',
  'event.head_commit.id': 'SHA',
  'github.sha': 'SHA',
  'run.event': 'EVENT',
  'github.event_name': 'EVENT',
  'run.delivery': 'DELIVERY',
  'github.workspace': 'WORKSPACE',
};

function instead(source: string, secrets: ReadonlySet<string> | undefined): string {
  const variable = Object.hasOwn(VARIABLES, source) ? VARIABLES[source] : undefined;
  if (variable !== undefined) return `use "$MAINSHEET_${variable}"`;
  const [, root, name] = /^(\w+)\.([A-Za-z_]\w*)$/.exec(source) ?? [];
  if (root === 'secrets' && name !== undefined && secrets !== undefined) {
    return secrets.has(name) ? `use "$${name}"` : `add ${name} to "secrets" and use "$${name}"`;
  }
  if (root === 'env' && name !== undefined) return `use "$${name}"`;
  const entry = `add it to the step's env, ${(name ?? 'VALUE').toUpperCase()}: "\${{ ${short(source)} }}", and use "$${(name ?? 'VALUE').toUpperCase()}"`;
  if (secrets !== undefined && /^(?:github\.)?event\b/.test(source)) {
    return `${entry}; the whole payload is in the file "$MAINSHEET_EVENT_PATH"`;
  }
  return entry;
}

function short(source: string): string {
  return source === '' || source.length > 80 ? '…' : source;
}
