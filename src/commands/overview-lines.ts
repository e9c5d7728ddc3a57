import { formatDuration } from '../lib/duration.ts';
import type { OverviewAnswer, PlaceAnswer } from './api-answers.ts';
import { age } from './page.ts';
import type { Column } from './table.ts';
import { STATE_STYLES } from './state-styles.ts';

/** A place with what there is to say of it. */
export interface Told {
  place: PlaceAnswer;
  state: string;
  /** Without times, which change by themselves. */
  text: string;
  /** How long what runs has been running. */
  elapsed: string | undefined;
}

/** What the overview says of each place. */
export function tellPlaces({ places, running, blocked }: OverviewAnswer): Told[] {
  return places.map((place) => {
    const ids = new Set(place.active.map(({ id }) => id));
    const runs = running.find(({ run }) => ids.has(run));
    const waits = blocked.find(({ run }) => ids.has(run));
    const [newest] = place.active;
    const told = (state: string, text: string, elapsed?: string): Told => ({
      place,
      state,
      text,
      elapsed,
    });
    if (runs !== undefined) {
      const { step, steps, sha, elapsedMs, usualMs } = runs;
      const at = step === null ? 'Checkout' : `${step.name}, ${step.index + 1} of ${steps}`;
      const usual = usualMs === null ? '' : ` of ~${formatDuration(usualMs)}`;
      return told('running', `${short(sha)} ${at}`, formatDuration(elapsedMs) + usual);
    }
    if (waits !== undefined) {
      const gates = waits.gates.map(({ detail }) => detail).join('; ');
      return told('blocked', `${short(waits.sha)} ${gates === '' ? waits.reason : gates}`);
    }
    if (newest !== undefined) return told(place.state, `${short(newest.sha)} ${newest.reason}`);
    const { paused, last, deployed } = place;
    if (paused !== null)
      return told('paused', paused.by === null ? '' : `by ${paused.by}${because(paused.reason)}`);
    if (last !== null && last.state !== 'succeeded') {
      return told(place.state, `${short(last.sha)} ${last.reason}`);
    }
    return told(place.state, deployed?.title ?? '');
  });
}

/** What waits for a person, a line each. */
export function tellAttention({ problems, dead, rolledBack }: OverviewAnswer): string[] {
  const [problem] = problems;
  const [callback] = dead;
  return [
    ...(problem === undefined
      ? []
      : [
          `${count(problems, 'problem')} in the specs: ${problem.file}:${problem.line}: ${problem.message}`,
        ]),
    ...(callback === undefined
      ? []
      : [`${count(dead, 'callback')} given up: ${callback.error ?? ''}`]),
    ...rolledBack.map(
      ({ spec, environment, sha, by, reason }) =>
        `${spec} in ${environment} was rolled back to ${short(sha)}${by === null ? '' : ` by ${by}`}${because(reason ?? '')}`,
    ),
  ];
}

/** `now`: by the clock of the server, in milliseconds since the epoch. */
export function placeColumns(now: number): Column<Told>[] {
  return [
    { title: 'SPEC', cell: ({ place }) => place.spec },
    { title: 'ENVIRONMENT', cell: ({ place }) => place.environment },
    { title: 'DEPLOYED', cell: ({ place: { deployed } }) => short(deployed?.sha ?? '-') },
    { title: 'AUTHOR', cell: ({ place: { deployed } }) => deployed?.author ?? '-' },
    {
      title: 'AGE',
      cell: ({ place: { deployed } }) => (deployed === null ? '-' : age(deployed.deployedAt, now)),
    },
    { title: 'STATE', cell: ({ state }) => state, style: ({ state }) => STATE_STYLES[state] },
    {
      title: 'WHAT',
      cell: ({ text, elapsed }) => (elapsed === undefined ? text : `${text}, ${elapsed}`),
    },
  ];
}

const short = (sha: string) => sha.slice(0, 7);
const because = (reason: string) => (reason === '' ? '' : `: ${reason}`);
const count = ({ length }: readonly unknown[], noun: string) =>
  `${length} ${noun}${length === 1 ? '' : 's'}`;
