import type { Run } from '../../../model/run.ts';
import type { Commits } from '../../read/commits.ts';
import { html, type Html } from '../html.ts';
import type { Frame } from '../layout.ts';
import { causeOf, refOf, runPath, shortSha } from './commit.ts';
import { stateIcon } from './state.ts';
import { ago, since, took, withTimes } from './time.ts';

/** Runs as rows of a list: how each ended, what it deployed where, and when. */
export async function runRows(
  frame: Frame,
  commits: Commits,
  runs: readonly Run[],
  live?: string,
): Promise<Html> {
  const titles = await Promise.all(runs.map(commits));
  return html`<ul class="rows is-alone">${runs.map((run, index) => {
    const title = titles[index]?.title ?? causeOf(run);
    return html`<li class="run-row" id="row-${run.id}">${stateIcon(frame, run.state)}
<div class="cut"><p class="cut"><a class="plain strong row-link" href="${runPath(frame, run.id)}">${title}</a></p>
<p class="meta"><span>${run.spec}</span><span>${run.environment}</span><span>${shortSha(run.sha)}</span>${refOf(frame, run)}<span>${causeOf(run)}${
      titles[index]?.author === undefined ? '' : html` by ${titles[index]?.author}`
    }</span></p>${
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
