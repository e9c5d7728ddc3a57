import type { Terminal } from './terminal.ts';

const TICK_MS = 1000;

/** The result of long work; meanwhile a terminal shows what is done, and since when. Elsewhere nothing is shown. */
export async function whileWaiting<Result>(
  terminal: Pick<Terminal, 'progress'>,
  doing: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const since = performance.now();
  const show = () => {
    terminal.progress(`${doing} … ${Math.floor((performance.now() - since) / 1000)} s`);
  };
  show();
  const timer = setInterval(show, TICK_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    terminal.progress('');
  }
}
