import * as z from 'zod';
import { readSettings, type CheckResult, type SettingsDeps } from '../read/settings.ts';
import { forAll } from '../guard.ts';
import type { Told } from './tell.ts';
import { operation, type Operation } from './route.ts';

const checksSchema = z
  .object({
    at: z.iso.datetime(),
    whole: z.boolean().describe('False: it took too long, and some checks are not there'),
    ok: z.boolean().describe('Nothing has to be mended'),
    checks: z.array(
      z.object({
        subject: z.string(),
        state: z.enum(['ok', 'warn', 'fail']),
        detail: z.string(),
        hint: z.string().optional().describe('What to do about it'),
      }),
    ),
  })
  .meta({ id: 'Checks' });

const settingsSchema = z
  .object({
    facts: z.array(z.object({ name: z.string(), value: z.string() })),
    variables: z.array(
      z.object({
        name: z.string(),
        set: z.boolean(),
        secret: z.boolean(),
        value: z.string().nullable().describe('Null where it is not set, or secret'),
      }),
    ),
    secrets: z
      .array(z.object({ name: z.string(), set: z.boolean(), by: z.array(z.string()) }))
      .describe('Those that specs and hooks name'),
    servers: z.array(
      z.object({ name: z.string(), type: z.string(), url: z.string(), hasToken: z.boolean() }),
    ),
    installations: z.array(
      z.object({
        repository: z.string(),
        state: z.enum(['installed', 'suspended', 'removed', 'missing']).nullable(),
      }),
    ),
    budget: z.array(
      z.object({
        account: z.string(),
        minute: z.object({ used: z.int(), limit: z.int() }),
        hour: z.object({ used: z.int(), limit: z.int() }),
        primaryRemaining: z.int().nullable(),
        pausedSeconds: z.number(),
      }),
    ),
    checked: checksSchema.nullable().describe('What the last check has found'),
  })
  .meta({ id: 'Settings' });

/** What is configured, for those who may see everything. */
export function settingsOperations(deps: SettingsDeps): Operation[] {
  return [
    operation('get', '/settings', {
      name: 'getSettings',
      summary: 'What is configured, without what is secret',
      answer: settingsSchema,
      async serve({ viewer }) {
        forAll(viewer, 'see settings');
        const view = await readSettings(deps);
        return {
          ...view,
          variables: view.variables.map(({ isSet, isSecret, ...one }) => ({
            ...one,
            set: isSet,
            secret: isSecret,
          })),
          secrets: view.secrets.map(({ isSet, ...one }) => ({ ...one, set: isSet })),
          budget: view.budget.map((one) => ({ ...one, pausedSeconds: one.pausedMs / 1000 })),
          checked: view.checked && toChecks(view.checked),
        };
      },
    }),
    operation('post', '/settings/check', {
      name: 'checkSettings',
      summary: 'Looks at what "mainsheet doctor" looks at; it takes some seconds',
      answer: checksSchema,
      async serve({ viewer }) {
        forAll(viewer, 'see settings');
        return toChecks(await deps.checkUp.look());
      },
    }),
  ];
}

function toChecks({ at, checks, isWhole }: CheckResult): Told<typeof checksSchema> {
  const ok = isWhole && checks.every(({ state }) => state !== 'fail');
  return { at, whole: isWhole, ok, checks };
}
