import { cleanLine, cleanText } from '../lib/clean-text.ts';
import { hasEnded, type Run, type Step } from '../model/run.ts';
import { waitingStep } from '../model/step-gate.ts';
import type { Tables } from '../store/index.ts';
import { annotationsIn, type Annotation } from './annotations.ts';
import { alreadyDeployed, descriptionOf, tookOf } from './describe.ts';

/** What a check run shows. GitHub takes 65,535 characters of each text. */
export interface CheckOutput {
  title: string;
  summary: string;
  text?: string;
  annotations?: readonly Annotation[];
}

/** The end of a failing step's log, in bytes. */
const LOG_BYTES = 60 * 1024;
/** Characters of a step's name, and of what it says. */
const MOST_CELL = 200;
/** Characters of the table; steps for which there is no more room are counted. */
const MOST_TABLE = 50_000;

/** The run's facts, its steps as a table, and the end of what the step has printed that failed or waits for people. Both Markdown. */
export async function outputOf(
  run: Run,
  wasDeployed: boolean,
  note: string | undefined,
  store: Pick<Tables, 'steps' | 'logs'>,
): Promise<CheckOutput> {
  const title = descriptionOf(run, alreadyDeployed({ run, wasDeployed }));
  const steps = await store.steps.ofRun(run.id);
  const summary = [
    ...(note === undefined ? [] : [`> ${plain(note)}`]),
    factsOf(run),
    ...(steps.length === 0 ? [] : [tableOf(steps)]),
  ].join('\n\n');
  const shown = stepToShow(run, steps);
  if (shown === undefined) return { title, summary };
  const log = cleanText(lastOf(await store.logs.end(run.id, shown.index, LOG_BYTES), LOG_BYTES));
  const block = hasEnded(run.state) ? fenced(log, 'text') : fenced(asDiff(log), 'diff');
  return {
    title,
    summary,
    ...(log === '' ? {} : { text: `The end of the log of ${plain(shown.name)}:\n\n${block}` }),
    // They stay on the check run: a note is no reason to say them twice.
    ...(note === undefined && hasEnded(run.state) ? { annotations: annotationsIn(log) } : {}),
  };
}

/** The one that has failed, or that waits for people. */
function stepToShow(run: Run, steps: readonly Step[]): Step | undefined {
  return hasEnded(run.state)
    ? steps.findLast((step) => step.state === 'failed')
    : waitingStep(run, steps);
}

function factsOf(run: Run): string {
  const { spec, environment, sha, cause, reason } = run;
  const facts = `**${plain(spec)}** to **${plain(environment)}** at \`${sha.slice(0, 7)}\` (${cause})`;
  return reason === '' ? facts : `${facts}\n\n${plain(reason)}`;
}

function tableOf(steps: readonly Step[]): string {
  const rows = steps.map((step) => {
    const { name, state, reason } = step;
    const result = reason === '' ? state : `${state}: ${cell(reason)}`;
    return `| ${cell(name)} | ${result} | ${tookOf(step, '')} |`;
  });
  let room = MOST_TABLE;
  const shown = rows.filter((row) => (room -= row.length) > 0);
  const hidden = rows.length - shown.length;
  return [
    '| Step | Result | Took |',
    '| --- | --- | --- |',
    ...shown,
    ...(hidden === 0 ? [] : [`| … and ${hidden} more | | |`]),
  ].join('\n');
}

function cell(text: string): string {
  const line = cleanLine(text);
  return plain(line.length > MOST_CELL ? `${line.slice(0, MOST_CELL - 1)}…` : line);
}

/** What means something in Markdown: anywhere, at the start of a line, and in what becomes a link by itself. */
const MARKUP = /[&<>|`*_[\]()#@~\\!:]|^[-+=]|(?<=^\d{1,9})\.|(?<=www)\./gi;

/** Text in which nothing is Markdown, HTML, a link or a mention: a step's name comes from a repository. */
export function plain(text: string): string {
  return (
    cleanLine(text)
      .toWellFormed()
      .replaceAll(MARKUP, (character) => `&#${character.charCodeAt(0)};`)
      // GitHub looks for mentions when entities are characters already: a zero-width space keeps them apart.
      .replaceAll('&#64;', '&#64;&#8203;')
  );
}

/** A code block that nothing in the text can end. */
function fenced(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(Math.min(longest, 100) + 1);
  const inside = longest > 100 ? text.replaceAll(/`{100,}/g, '…') : text;
  return `${fence}${language}\n${inside.trimEnd()}\n${fence}`;
}

/** What a plan says of a line comes first, where GitHub colours it: a change with the sign that it has for one. */
function asDiff(plan: string): string {
  return plan.replaceAll(
    /^( +)(-\/\+|\+\/-|[-+~])(?= )/gm,
    (_line, indent: string, sign: string) => (sign === '~' ? '!' : sign) + indent,
  );
}

/** The last `bytes` of a text, from the start of a line where there is one. */
function lastOf(text: string, bytes: number): string {
  const whole = Buffer.from(text.toWellFormed());
  if (whole.length <= bytes) return whole.toString();
  const end = whole.subarray(whole.length - bytes).toString();
  const line = end.indexOf('\n');
  return line === -1 ? end.replace(/^\uFFFD+/, '') : end.slice(line + 1);
}
