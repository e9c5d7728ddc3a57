import { cleanLine } from '../lib/clean-text.ts';
import { systemClock } from '../lib/clock.ts';
import { RetryableError } from '../lib/errors.ts';
import type { OverviewAnswer, PlaceAnswer } from './api-answers.ts';
import type { CommandContext } from './context.ts';
import { placeColumns, tellAttention, tellPlaces } from './overview-lines.ts';
import { formatTable } from './table.ts';
import type { Terminal } from './terminal.ts';

const EVERY_MS = 1000;
/** A line that is too long is cut by the terminal, so that each takes one row. */
const NO_WRAP = '\u001b[?7l';
const WRAP = '\u001b[?7h';
const CLEAR = '\u001b[2J';
const HOME = '\u001b[H';
const REST_OF_LINE = '\u001b[K';
const REST_OF_SCREEN = '\u001b[J';

/** Which places are shown. */
export interface WatchFilter {
  spec?: string;
  repository?: string;
  state?: string;
}

interface View {
  show(overview: OverviewAnswer): Promise<void>;
  lost(error: RetryableError): Promise<void>;
  end(): Promise<void>;
}

/**
 * Shows the overview until the user stops it: drawn again in place on a terminal, elsewhere a line for each change. A server that
 * cannot be reached at all is an error; one that goes away may come back.
 */
export async function watchOverview(context: CommandContext, filter: WatchFilter): Promise<number> {
  const { terminal, signal, env } = context;
  const api = await context.api();
  const isDrawn = terminal.isTerminal && env['TERM'] !== 'dumb';
  const view = isDrawn ? screen(terminal, api.url) : lines(terminal);
  let connected = false;
  try {
    while (!signal.aborted) {
      try {
        const overview = await api.overview();
        connected = true;
        const places = overview.places.filter((place) => matches(place, filter));
        await view.show({ ...overview, places });
      } catch (error) {
        if (signal.aborted) break;
        if (!connected || !(error instanceof RetryableError)) throw error;
        await view.lost(error);
      }
      await systemClock.sleep(EVERY_MS, signal);
    }
    return 0;
  } finally {
    await view.end();
  }
}

function matches(place: PlaceAnswer, { spec, repository, state }: WatchFilter): boolean {
  return (
    (spec === undefined || place.spec === spec) &&
    (repository === undefined || place.repository.toLowerCase() === repository.toLowerCase()) &&
    (state === undefined || place.state === state)
  );
}

function screen(terminal: Terminal, url: string): View {
  let isFirst = true;
  return {
    async show(overview) {
      const { running, blocked, places } = overview;
      const heading = `${url}  ${places.length} shown, ${running.length} running, ${blocked.length} blocked`;
      const rows = [
        cleanLine(heading),
        ...tellAttention(overview).map((line) => terminal.paint('yellow', cleanLine(`! ${line}`))),
        '',
        ...formatTable(tellPlaces(overview), placeColumns(Date.parse(overview.at)), terminal),
      ];
      const room = Math.max(3, (terminal.rows() ?? Infinity) - 1);
      const over = rows.length - room;
      const shown = over > 0 ? [...rows.slice(0, room - 1), `… ${over + 1} more lines`] : rows;
      const start = isFirst ? `${NO_WRAP}${CLEAR}` : '';
      isFirst = false;
      const drawn = shown.map((line) => `${line}${REST_OF_LINE}\n`).join('');
      await terminal.write(`${start}${HOME}${drawn}${REST_OF_SCREEN}`);
    },
    // Over the first line, until the next picture.
    lost: ({ message }) => terminal.write(`${HOME}${cleanLine(message)}${REST_OF_LINE}`),
    end: () => terminal.write(isFirst ? '' : WRAP),
  };
}

function lines(terminal: Terminal): View {
  let known = new Set<string>();
  let isLost = false;
  return {
    async show(overview) {
      isLost = false;
      const now = [
        ...tellPlaces(overview).map(
          ({ place, state, text }) => `${place.spec} ${place.environment} ${state} ${text}`,
        ),
        ...tellAttention(overview).map((line) => `! ${line}`),
      ].map((line) => cleanLine(line).trimEnd());
      const news = now.filter((line) => !known.has(line));
      known = new Set(now);
      await terminal.write(news.map((line) => `${overview.at} ${line}\n`).join(''));
    },
    async lost({ message }) {
      if (!isLost) terminal.note(`mainsheet: ${cleanLine(message)}; trying again`);
      isLost = true;
    },
    end: async () => undefined,
  };
}
