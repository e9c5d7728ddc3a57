import type { Command } from 'commander';
import { cleanJson, cleanLine } from '../lib/clean-text.ts';
import type { CommandContext } from './context.ts';
import type { Check } from './doctor-check.ts';
import { examine } from './doctor-examine.ts';
import { adminToken } from './settings.ts';
import type { Style } from './terminal.ts';

const MARKS: Record<Check['state'], { mark: string; style: Style }> = {
  ok: { mark: '✓', style: 'green' },
  warn: { mark: '!', style: 'yellow' },
  fail: { mark: '✗', style: 'red' },
};

/** `mainsheet doctor`: exit code 1 when anything is not as it has to be. */
export function doctorCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('doctor')
    .description('check everything that Mainsheet needs, and say how to mend it')
    .option('--json', 'print JSON: {ok, checks}')
    .addHelpText(
      'after',
      `
Looks at git, the shell, the configuration, the data directory, the specs, the server with its dead
callbacks and pauses, the store (SQLite: when no server runs), and GitHub's credentials. Changes
nothing. Run it with the environment that the server is started with.

  ✓  as it should be
  !  works, but could be better
  ✗  has to be mended; the exit code is then 1`,
    )
    .action(
      context.action(async (options: { json?: true }) => {
        const checks: Check[] = [];
        const url = context.serverUrl();
        const all = examine({
          env: context.env,
          version: context.version,
          url,
          isExpected:
            program.getOptionValue('server') !== undefined || Boolean(context.env['MAINSHEET_URL']),
          token: () => adminToken(context.env, url),
          signal: context.signal,
        });
        for await (const check of all) {
          checks.push(check);
          if (!options.json) say(check);
        }
        const ok = checks.every(({ state }) => state !== 'fail');
        if (options.json) terminal.line(cleanJson({ ok, checks }));
        return ok ? 0 : 1;
      }),
    );

  function say({ subject, state, detail, hint }: Check): void {
    const { mark, style } = MARKS[state];
    terminal.line(`${terminal.paint(style, mark)} ${subject}: ${cleanLine(detail)}`);
    if (hint !== undefined) terminal.line(`  ${terminal.paint('dim', '→')} ${cleanLine(hint)}`);
  }
}
