import * as z from 'zod';
import type { NotifySpec } from '../model/deployment-spec.ts';
import { RUN_STATES, type RunState } from '../model/run.ts';
import { oneOrMore, problem, repositoryName, secretName } from './schema-fields.ts';
import { hasTemplate } from './template.ts';

/** https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event */
const PAYLOAD_KEYS = 10;
/** Fewer than 64 KB; what is sent is checked against the same figure. */
const PAYLOAD_BYTES = 64 * 1024 - 1;

const dispatch = z.strictObject({
  repository: repositoryName.describe('The repository that hears of it: owner/name.'),
  'event-type': z
    .string()
    .min(1, 'is empty')
    .max(100, 'more than 100 characters, which is all that GitHub accepts')
    .describe('The event_type of the repository_dispatch. May hold ${{ … }}.'),
  payload: z
    .record(z.string(), z.json())
    .superRefine(checkPayload)
    .describe(
      'The client_payload: at most ten keys, less than 64 KB. Strings in it may hold ${{ … }}.',
    )
    .optional(),
});

const webhook = z.strictObject({
  url: z
    .string()
    .max(4096, 'more than 4096 characters')
    .superRefine(checkUrl)
    .describe('Where it is sent. May hold ${{ … }}, secrets too.'),
  secret: secretName
    .describe('Name of the secret that signs it (Standard Webhooks); must be in "secrets".')
    .optional(),
});

const chat = z.strictObject({
  secret: secretName.describe(
    'Name of the secret that holds the URL of the incoming webhook; must be in "secrets".',
  ),
  text: z
    .string()
    .min(1, 'is empty')
    .max(1500, 'more than 1500 characters')
    .describe('What is said beside the facts. May hold ${{ … }}.')
    .optional(),
});

/** One written entry of `notify:`. */
export const notify = z
  .strictObject({
    on: oneOrMore(z.enum(RUN_STATES), RUN_STATES.length)
      .describe('Run states at which it is sent. Default: succeeded.')
      .optional(),
    dispatch: dispatch.describe('A repository_dispatch event at another repository.').optional(),
    webhook: webhook.describe('A signed HTTP request.').optional(),
    slack: chat.describe('A message in a channel of Slack.').optional(),
    discord: chat.describe('A message in a channel of Discord.').optional(),
    teams: chat.describe('A card in a channel or chat of Microsoft Teams.').optional(),
  })
  .transform(({ on = ['succeeded'], ...kinds }, context): NotifySpec => {
    const [entry, ...more] = entriesOf(kinds, on);
    if (entry !== undefined && more.length === 0) return entry;
    problem(
      context,
      'a notification is exactly one of "dispatch", "webhook", "slack", "discord" and "teams"',
      'make an entry for each',
    );
    return z.NEVER;
  });

interface Kinds {
  dispatch?: z.output<typeof dispatch> | undefined;
  webhook?: z.output<typeof webhook> | undefined;
  slack?: z.output<typeof chat> | undefined;
  discord?: z.output<typeof chat> | undefined;
  teams?: z.output<typeof chat> | undefined;
}

function entriesOf(written: Kinds, on: RunState[]): NotifySpec[] {
  const entries: NotifySpec[] = [];
  const { dispatch: event, webhook: request } = written;
  if (event !== undefined) {
    const { repository, 'event-type': eventType, payload = {} } = event;
    entries.push({ kind: 'dispatch', on, repository, eventType, payload });
  }
  if (request !== undefined) {
    entries.push({ kind: 'webhook', on, url: request.url, secret: request.secret });
  }
  for (const kind of ['slack', 'discord', 'teams'] as const) {
    const message = written[kind];
    if (message !== undefined) {
      entries.push({ kind, on, secret: message.secret, text: message.text });
    }
  }
  return entries;
}

function checkPayload(
  payload: Record<string, unknown>,
  context: Parameters<typeof problem>[0],
): void {
  const keys = Object.keys(payload).length;
  if (keys > PAYLOAD_KEYS) {
    problem(
      context,
      `a dispatch payload has at most ${PAYLOAD_KEYS} keys, this one has ${keys}`,
      'that is GitHub’s limit; put some of them into a map under one key',
    );
  }
  const bytes = Buffer.byteLength(JSON.stringify(payload));
  if (bytes > PAYLOAD_BYTES) {
    problem(context, `a dispatch payload has less than 64 KB, this one has ${bytes} bytes`);
  }
}

function checkUrl(url: string, context: Parameters<typeof problem>[0]): void {
  // What a template will give is known only when it is sent; it is checked again there.
  if (hasTemplate(url)) return;
  const parsed = URL.parse(url);
  if (parsed === null || !['https:', 'http:'].includes(parsed.protocol)) {
    problem(context, 'is not an http(s) URL');
  } else if (parsed.username !== '' || parsed.password !== '') {
    problem(
      context,
      'holds a user name or password',
      'keep the URL in a secret: url: "${{ secrets.NAME }}"',
    );
  }
}
