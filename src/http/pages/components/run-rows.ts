import type { Run } from '../../../model/run.ts';
import type { Commits } from '../../read/commits.ts';
import { html, type Html } from '../html.ts';
import type { Frame } from '../layout.ts';
import { causeOf, refOf, runPath, shortSha, titleOf } from './commit.ts';
import { stateIcon } from './state.ts';
import { ago, since, took, withTimes } from './time.ts';

/** Runs as rows of a list: how each ended, what it deployed where, and when. */
export async function runRows(
  frame: Frame,
  commits: Commits,
  runs: readonly Run[],
  /** `ofSpec`: all are of one spec, which the page names. `live`: the run of what is deployed. */
  { ofSpec = false, live }: { ofSpec?: boolean; live?: string | undefined } = {},
): Promise<Html> {
  const titles = await Promise.all(runs.map(commits));
  return html`<ul class="rows is-alone">${runs.map((run, index) => {
    const commit = titles[index];
    // Who wrote the commit has asked for no rollback and no retry of it.
    const author = run.cause === 'event' ? commit?.author : undefined;
    return html`<li class="run-row" id="row-${run.id}">${stateIcon(frame, run.state)}
<div class="cut"><p class="cut"><a class="plain strong row-link" href="${runPath(frame, run.id)}">${titleOf(run, commit)}</a></p>
<p class="meta">${ofSpec ? '' : html`<span>${run.spec}</span><span>${run.environment}</span>`}<span>${shortSha(run.sha)}</span>${refOf(frame, run)}${
      commit === undefined
        ? ''
        : html`<span>${causeOf(run)}${author === undefined ? '' : html` by ${author}`}</span>`
    }</p>${
      ['failed', 'blocked', 'cancelled'].includes(run.state)
        ? html`<p class="small tone is-${run.state} cut">${withTimes(run.reason, frame.now)}</p>`
        : ''
    }</div>
<div class="row-end">${run.id === live ? html`<span class="badge is-succeeded">Live</span>` : ''}<div class="small muted row-times"><p>${ago(run.createdAt, frame.now)}</p><p>${duration(frame, run)}</p></div></div></li>`;
  })}</ul>`;
}

function duration(frame: Frame, { startedAt, finishedAt }: Run) {
  if (startedAt === undefined) return '';
  return finishedAt === undefined ? since(startedAt, frame.now) : took(finishedAt - startedAt);
}
