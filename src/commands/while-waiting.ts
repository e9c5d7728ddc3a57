import type { Terminal } from './terminal.ts';

const TICK_MS = 1000;

/** The result of long work; meanwhile a terminal shows what is done, and since when. Elsewhere nothing is shown. */
export async function whileWaiting<Result>(
  terminal: Pick<Terminal, 'progress'>,
  doing: string,
  /** `tell` adds how far it has come. */
  work: (tell: (how: string) => void) => Promise<Result>,
): Promise<Result> {
  const since = performance.now();
  let how = '';
  const show = () => {
    terminal.progress(`${doing}${how} … ${Math.floor((performance.now() - since) / 1000)} s`);
  };
  show();
  const timer = setInterval(show, TICK_MS);
  try {
    return await work((told) => {
      how = `: ${told}`;
      show();
    });
  } finally {
    clearInterval(timer);
    terminal.progress('');
  }
}
