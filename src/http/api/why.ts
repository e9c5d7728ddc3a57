import * as z from 'zod';
import type { Ask, AskedCommit } from '../../controller/operator/ask.ts';
import { readQuestion } from '../../controller/operator/question.ts';
import { FATES, type AskWhy, type Why } from '../../controller/operator/why.ts';
import type { Store } from '../../store/index.ts';
import { type Viewer } from '../auth/viewer.ts';
import { ProblemError } from '../problem.ts';
import type { WebServers } from '../read/web-pages.ts';
import { pathsOfWhys, type PathTableDeps } from '../read/path-tables.ts';
import { pathsSchema, reasonSchema, runSchema, saysSchema, toPaths } from './resources.ts';
import { operation, type Operation } from './route.ts';

const whySchema = z
  .object({
    spec: z.string(),
    environment: z.string(),
    fate: z.enum(FATES),
    summary: z.string().describe('One sentence'),
    hint: z.string().nullable().describe('What to do about it'),
    run: runSchema.nullable(),
    delivery: z.string().nullable().describe('The delivery that decided'),
    reasons: z.array(reasonSchema).describe('What it decided by'),
    paths: pathsSchema,
    says: saysSchema,
  })
  .meta({ id: 'Why' });

const ROLES = ['commit', 'merged', 'head'] as const satisfies AskedCommit['role'][];

/** Why a commit was or was not deployed. */
export function whyOperations(
  deps: { why: AskWhy; ask: Ask } & WebServers & PathTableDeps & { store: Pick<Store, 'inbox'> },
): Operation[] {
  const withPaths = async (viewer: Viewer, specs: readonly Why[]) => {
    const paths = await pathsOfWhys(deps, viewer, specs);
    return specs.map((one) => ({ ...one, paths: toPaths(paths.get(one.spec)) }));
  };
  return [
    operation('get', '/why', {
      costly: true,
      name: 'askWhy',
      summary: 'Every spec of a repository: why a commit was or was not deployed',
      query: z.object({
        repository: z.string().max(200).describe('`owner/name`'),
        sha: z.string().max(64).describe('A commit, or its first seven letters and more'),
      }),
      answer: z.object({
        repository: z.string(),
        sha: z.string(),
        specs: z.array(whySchema),
      }),
      async serve({ viewer, query: { repository, sha } }) {
        const specs = await deps.why(repository, sha, viewer.canSee);
        return { repository, sha, specs: await withPaths(viewer, specs) };
      },
    }),
    operation('get', '/ask', {
      costly: true,
      name: 'ask',
      summary:
        'Why a commit, a pull request or a run was or was not deployed, by whatever people call it',
      query: z.object({
        q: z
          .string()
          .max(500)
          .describe('A commit, `12`, `owner/name#12`, a run, or the address of one of these'),
      }),
      answer: z.object({
        kind: z.enum(['commit', 'pull', 'run']).describe('What it was taken for'),
        run: runSchema.nullable().describe('The run, if it is one'),
        commits: z
          .array(
            z.object({
              repository: z.string(),
              sha: z.string(),
              role: z.enum(ROLES).describe('What it is to what was asked about'),
              specs: z.array(whySchema),
            }),
          )
          .describe('Of a pull request what merged it, and its newest; empty: nothing is known'),
        choices: z.array(z.string()).describe('Repositories of which one has to be named'),
      }),
      async serve({ viewer, query: { q } }) {
        const question = readQuestion(q, deps);
        if (question === undefined) {
          throw new ProblemError(400, 'bad-question', 'that is no commit, pull request or run', {
            hint: 'ask for a commit (seven letters and more), owner/name#12, a run, or the address of one',
          });
        }
        const { run, commits, choices } = await deps.ask(question, viewer.canSee);
        return {
          kind: question.kind,
          run,
          commits: await Promise.all(
            commits.map(async ({ specs, ...one }) => ({
              ...one,
              specs: await withPaths(viewer, specs),
            })),
          ),
          choices,
        };
      },
    }),
  ];
}
