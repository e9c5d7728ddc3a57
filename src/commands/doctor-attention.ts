import type { Api } from './api-client.ts';
import type { PauseAnswer, PreviewsAnswer, SpecAnswer } from './api-answers.ts';
import { about, type Check } from './doctor-check.ts';

/** As many callbacks as one page has. */
const MOST = 200;

/**
 * What the server does not mend by itself: callbacks that were given up, pauses that were not lifted, previews that are left over,
 * and repositories that the App is not on any more.
 */
export async function checkAttention(
  api: Pick<Api, 'outbox' | 'pauses' | 'specs' | 'previews'>,
): Promise<Check[]> {
  const dead = await api.outbox({ state: 'dead', limit: String(MOST) });
  const { items: pauses } = await api.pauses();
  const { items: specs } = await api.specs();
  const { items: previews } = await api.previews();
  return [
    checkCallbacks(dead.items.length, dead.next !== null),
    ...(pauses.length === 0 ? [about('pauses').ok('nothing is paused')] : pauses.map(checkPause)),
    ...specs.flatMap(checkInstallation),
    ...previews.filter(({ state }) => state === 'left').map(checkPreview),
  ];
}

function checkCallbacks(dead: number, more: boolean): Check {
  const { ok, warn } = about('callbacks');
  if (dead === 0) return ok('none was given up');
  const number = more ? `${dead} or more were` : dead === 1 ? '1 was' : `${dead} were`;
  return warn(
    `${number} given up, so that GitHub or a webhook was not told`,
    '"mainsheet outbox --state dead" says why; mend that, then "mainsheet resend --all"',
  );
}

function checkPause({ kind, name, since, by, reason }: PauseAnswer): Check {
  const why = reason === '' ? '' : `: ${reason}`;
  const what = kind === 'lane' ? `--lane ${word(name)}` : word(name);
  return about('pauses').warn(
    `${kind} ${name} is paused since ${since} by ${by}${why}`,
    `let it go on with "mainsheet resume ${what}"`,
  );
}

function checkPreview({
  spec,
  repository,
  number,
  reason,
}: PreviewsAnswer['items'][number]): Check {
  return about('previews').warn(
    `the preview of ${repository}#${number} by ${spec} is left over, although it was to be taken down: ${reason}`,
    `"mainsheet runs --spec ${spec}" names its teardown; "mainsheet retry" does that again`,
  );
}

function checkInstallation({ name, repository, installation }: SpecAnswer): Check[] {
  if (installation === null || installation === 'installed') return [];
  const { warn } = about('installations');
  const what = installation === 'suspended' ? 'is suspended for' : 'is not installed on';
  const hint = 'install it there, or remove the spec';
  return [warn(`the App ${what} ${repository}, so ${name} does not deploy`, hint)];
}

/** As one word of a shell: lanes have names of any text, and hints are pasted. */
function word(text: string): string {
  return /^\w[\w./@-]*$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
