import { z } from 'zod';
import { FATES, type AskWhy } from '../../controller/operator/why.ts';
import { viewerOf } from '../auth/viewer.ts';
import { reasonSchema, runSchema, saysSchema, toRun } from './resources.ts';
import { operation, type Operation } from './route.ts';

/** Why a commit was or was not deployed. */
export function whyOperations({ why }: { why: AskWhy }): Operation[] {
  return [
    operation({
      method: 'get',
      path: '/why',
      name: 'askWhy',
      summary: 'Every spec of a repository: why a commit was or was not deployed',
      query: z.object({
        repository: z.string().max(200).describe('`owner/name`'),
        sha: z.string().max(64).describe('A commit, or its first seven letters and more'),
      }),
      answer: z.object({
        repository: z.string(),
        sha: z.string(),
        specs: z.array(
          z.object({
            spec: z.string(),
            environment: z.string(),
            fate: z.enum(FATES),
            summary: z.string().describe('One sentence'),
            hint: z.string().nullable().describe('What to do about it'),
            run: runSchema.nullable(),
            delivery: z.string().nullable().describe('The delivery that decided'),
            reasons: z.array(reasonSchema).describe('What it decided by'),
            says: saysSchema,
          }),
        ),
      }),
      async serve(ctx, { query: { repository, sha } }) {
        const specs = await why(repository, sha, viewerOf(ctx).canSee);
        return {
          repository,
          sha,
          specs: specs.map((one) => ({
            ...one,
            hint: one.hint ?? null,
            run: one.run === undefined ? null : toRun(one.run),
            delivery: one.delivery ?? null,
            reasons: [...one.reasons],
            says: [...one.says],
          })),
        };
      },
    }),
  ];
}
