import { randomUUID } from 'node:crypto';
import { InvalidArgumentError, type Command } from 'commander';
import * as z from 'zod';
import { splitWebhookSecrets } from '../config/webhook-secrets.ts';
import { problemAnswer } from './api-answers.ts';
import { createApiRequest } from './api-request.ts';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import { sign } from '../sources/github/delivery-digest.ts';
import { idArgument, type CommandContext } from './context.ts';
import { payloadOfPush, readPayload } from './payload-file.ts';
import { isHttpUrl, readSecret } from './settings.ts';
import { UsageError } from './usage-error.ts';
import { parseJson } from '../lib/json.ts';

interface Options {
  payload?: string;
  from?: string;
  url?: string;
  delivery?: string;
  json?: true;
}

const acceptedAnswer = z.looseObject({
  delivery: z.string(),
  duplicate: z.boolean(),
  copyOf: z.string().optional(),
});

/** What to change in the command: what the server says of these is about headers and the settings of GitHub. */
const ADVICE = new Map([
  [
    'event-mismatch',
    'name the event that the payload is of: mainsheet send <event> --payload <file>',
  ],
  [
    'header-missing',
    'the server takes no delivery of this id: choose another --delivery, or leave it out',
  ],
  ['bad-signature', "set GITHUB_WEBHOOK_SECRET to the server's"],
]);

/** `mainsheet send EVENT --payload FILE`: exit code 1 when the server refuses the delivery. */
export function sendCommand(program: Command, context: CommandContext): void {
  const { terminal, env } = context;
  const payloadFor = (event: string, { payload, from }: Options) => {
    if (payload !== undefined && from === undefined) return readPayload(payload, context.stdin);
    if (from !== undefined && payload === undefined && event === 'push')
      return payloadOfPush(context, from);
    throw new UsageError('no-payload', 'give either --payload, or for a push --from');
  };
  program
    .command('send')
    .description('send a signed test delivery, as GitHub would')
    .argument('<event>', 'the event, such as push', eventArgument)
    .option('--payload <file>', 'the payload; - reads standard input')
    .option('--from <commit>', 'instead: what a push of it would send, such as HEAD')
    .option('--url <url>', 'the webhook (default: /webhooks/v1/github of the server)', urlArgument)
    .option('--delivery <id>', 'the delivery id (default: a new one)', idArgument)
    .option('--json', 'print JSON: {delivery, duplicate, status}')
    .addHelpText(
      'after',
      `
It is signed with GITHUB_WEBHOOK_SECRET (the first, when there are several) and handled like any
other: it deploys what its payload says, but the same payload only once. Exit code 1 when the server does not take it.

Examples:
  $ mainsheet send push --from HEAD
  $ mainsheet send push --payload push.json`,
    )
    .action(
      context.action(async (event: string, options: Options) => {
        const secret = webhookSecret(env);
        const { text } = await payloadFor(event, options);
        const url = options.url ?? `${context.serverUrl()}/webhooks/v1/github`;
        const delivery = options.delivery ?? randomUUID();
        const request = createApiRequest({
          url,
          // The signature is what a webhook is known by; the API's token does not belong there.
          token: undefined,
          signal: context.signal,
          userAgent: `mainsheet/${context.version}`,
          fetch: context.fetch(),
        });
        const signature = sign(secret, text);
        const { status, text: body } = await request.post(
          '',
          {
            'Content-Type': 'application/json',
            'X-GitHub-Event': event,
            'X-GitHub-Delivery': delivery,
            'X-Hub-Signature-256': signature,
          },
          text,
        );
        const accepted = acceptedAnswer.safeParse(parseJson(body));
        if (status === 202 && accepted.success) {
          sayAccepted(accepted.data.duplicate, accepted.data.copyOf);
          return 0;
        }
        sayRefused();
        return 1;

        function sayAccepted(duplicate: boolean, copyOf: string | undefined): void {
          if (options.json) return terminal.line(cleanJson({ delivery, duplicate, status }));
          const what = copyOf === undefined ? 'which' : 'whose body';
          const known = duplicate ? `, ${what} the server had before: nothing more happens` : '';
          terminal.line(`${status} accepted: delivery ${delivery}${known}`);
          terminal.note(
            copyOf === undefined
              ? `  see what becomes of it: mainsheet explain ${delivery}`
              : `  to deploy it again: mainsheet replay ${cleanLine(copyOf)}`,
          );
        }

        function sayRefused(): void {
          const problem = problemAnswer.safeParse(parseJson(body));
          if (options.json) {
            const detail = problem.success ? problem.data : null;
            return terminal.line(cleanJson({ delivery, duplicate: null, status, problem: detail }));
          }
          const why = problem.success
            ? cleanLine(problem.data.detail)
            : 'the answer is not one of Mainsheet';
          terminal.line(`${status} refused: ${why}`);
          const hint = ADVICE.get(problem.data?.code ?? '') ?? problem.data?.hint;
          if (hint !== undefined) terminal.note(`  hint: ${cleanLine(hint)}`);
        }
      }),
    );
}

function webhookSecret(env: Record<string, string | undefined>): string {
  const [first] = splitWebhookSecrets(readSecret(env, 'GITHUB_WEBHOOK_SECRET') ?? '');
  if (first !== undefined) return first;
  throw new UsageError('webhook-secret-missing', 'there is no secret to sign with', {
    hint: "set GITHUB_WEBHOOK_SECRET or GITHUB_WEBHOOK_SECRET_FILE to the server's",
  });
}

function eventArgument(text: string): string {
  if (/^[a-z_]{1,100}$/.test(text)) return text;
  throw new InvalidArgumentError('Events are named like push or workflow_run.');
}

function urlArgument(text: string): string {
  if (isHttpUrl(text)) return text;
  throw new InvalidArgumentError('It is an http or https URL.');
}
