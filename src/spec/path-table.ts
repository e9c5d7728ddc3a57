import { inTurns } from '../lib/fair-turn.ts';
import type { DeploymentSpec } from '../model/deployment-spec.ts';
import type { Event } from '../model/event.ts';
import { createAutomaton } from './filter-automaton.ts';
import { compileList } from './filter-pattern.ts';
import { PATH_LIMIT, TURN_STEPS, type PathList } from './match-paths.ts';
import { pathConditionOf, pathListOf } from './match-push.ts';

/** A changed file beside the pattern that it met. */
export interface PathRow {
  path: string;
  /** The pattern that decided about it, as written: the last that matches. Undefined when none does. */
  by: string | undefined;
  /** Whether it makes the spec match. */
  counts: boolean;
}

/** Files beside the patterns of one list. */
export interface PathTable {
  /** First those that make the spec match, then those that met another pattern, then those that met none. */
  rows: PathRow[];
  /** All files, compared or not. */
  files: number;
  /** How many make the spec match; of those that were compared. */
  counting: number;
  /** Fewer than `files` when that was too much work. */
  compared: number;
}

/** What may still be done, for all tables together: steps of the automaton, and rows. It is counted down. */
export interface TableRoom {
  steps: number;
  rows: number;
}

/** Rows of one table. */
const MOST_ROWS = 200;

/** About a quarter of a second, and what a page bears. */
export const newTableRoom = (): TableRoom => ({ steps: 50_000_000, rows: 1000 });

/** The files of a push beside what a spec says of them. */
export interface PathsOfSpec extends PathTable {
  /** `on.push.paths` or `on.push.paths-ignore`. */
  condition: string;
}

/** Undefined where the spec does not look at files, or they are not known. Other work has its turn meanwhile. */
export async function tabulateFor(
  { on: { push } }: Pick<DeploymentSpec, 'on'>,
  event: Event,
  room: TableRoom,
): Promise<PathsOfSpec | undefined> {
  const list = push && pathListOf(push);
  if (list === undefined || event.kind !== 'push' || event.tag !== undefined) return undefined;
  if (!event.changedPaths.complete) return undefined;
  const table = await inTurns(tabulatePaths(list, event.changedPaths.paths, room));
  return { condition: pathConditionOf(list), ...table };
}

/**
 * Which pattern each file met. For those who ask why, never for deciding: every file is looked at. Comes back now and then, so that
 * other work can go on meanwhile.
 */
export function* tabulatePaths(
  list: PathList,
  paths: readonly string[],
  room: TableRoom,
): Generator<void, PathTable> {
  const matchers = compileList(list.patterns);
  const automaton = createAutomaton(matchers.map(({ states }) => states));
  const most = Math.max(0, Math.min(MOST_ROWS, room.rows));
  const kinds: PathRow[][] = [[], [], []];
  let counting = 0;
  let compared = 0;
  let looked = 0;
  let due = 0;
  for (const path of paths) {
    const work = automaton.work() + looked;
    if (path.length > PATH_LIMIT || work > room.steps) break;
    if (work > due) {
      due = work + TURN_STEPS;
      yield;
    }
    const accepted = automaton.accepts(path);
    looked += accepted.length;
    const last = matchers[accepted.at(-1) ?? -1];
    const counts = (last !== undefined && !last.negated) === (list.wanted === 'match');
    const kind = kinds[counts ? 0 : last === undefined ? 2 : 1];
    if (kind !== undefined && kind.length < most) kind.push({ path, by: last?.source, counts });
    if (counts) counting += 1;
    compared += 1;
  }
  const rows = kinds.flat().slice(0, most);
  room.steps -= automaton.work() + looked;
  room.rows -= rows.length;
  return { rows, files: paths.length, counting, compared };
}
