import type { GitServers } from '../../lib/servers.ts';
import type { Gates } from '../../controller/operator/gates.ts';
import { describeGate, nameOf } from '../../model/gate.ts';
import { isProtection } from '../../model/protection.ts';
import { hasEnded } from '../../model/run.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';
import { found } from '../guard.ts';
import type { Commits } from '../read/commits.ts';
import type { RecentRuns } from '../read/recent-runs.ts';
import { resumable } from '../read/held.ts';
import { readRun, type RunView } from '../read/run.ts';
import { causeOf, environmentPath, refOf, shortSha, titleOf } from './components/commit.ts';
import { pauseNote } from './components/pause.ts';
import { stateBadge } from './components/state.ts';
import { ago, durationText, since, took, withTimes } from './components/time.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { sections } from './log/sections.ts';
import type { LogIndexes } from './log/log-index.ts';
import { get, type PageRoute } from './page.ts';
import { sidebar } from './run-sidebar.ts';

export interface RunPageDeps {
  store: Store;
  catalog: Pick<Catalog, 'current'>;
  commits: Commits;
  recentRuns: RecentRuns;
  logs: LogIndexes;
  gates: Pick<Gates, 'view'>;
  /** Of GitHub, without a slash at the end. */
  githubUrl: string;
  /** Git servers beside it; default none. */
  servers?: GitServers;
}

/** One run: its steps with their logs, what made it, and what came of it. */
export function runRoutes(deps: RunPageDeps): PageRoute[] {
  return [
    get('/runs/:id', async ({ frame, id, query }, viewer) => {
      const view = found(await readRun(deps, viewer, id), 'run', id);
      const counts = await deps.logs.count(id);
      // What is asked for again while the page is looked at is without the log, which it has.
      const steps = await sections(frame, deps.logs, view, counts, !query.has('live'));
      const here = `${frame.root}runs/${id}`;
      const { run, pause } = view;
      const [mayResume] = pause === undefined ? [] : await resumable(deps, viewer, [pause]);
      const body = html`<main id="main" class="page run"${
        hasEnded(run.state) && view.callbacks.every(({ state }) => state !== 'pending')
          ? ''
          : html` data-stream="${frame.root}live?run=${id}"`
      }>
<div id="run-head" data-live hx-get="${here}?live=1" hx-trigger="refresh" hx-select="#run-head" hx-select-oob="#steps:outerMorph,#run-side:outerMorph" hx-swap="outerMorph">${head(frame, view, viewer, mayResume !== undefined)}</div>
<div class="run-columns">
<section class="run-log" aria-label="Steps and log">
${logTools(frame, id)}
<ol id="steps" class="steps panel" data-run="${here}">${steps}</ol>
</section>
<aside id="run-side" class="run-side" aria-label="About this run">${sidebar(frame, view, deps)}</aside>
</div>
<button class="button follow" id="follow" hidden>${icon(frame, 'arrow-down')}Follow the log</button>
</main>`;
      return {
        page: { title: `${run.spec} · ${run.state}`, section: 'Runs', body, scripts: ['log.js'] },
      };
    }),
  ];
}

function head(frame: Frame, view: RunView, viewer: Viewer, mayResume: boolean): Html {
  const { run, commit } = view;
  return html`<ol class="crumbs"><li><a href="${frame.root}">Overview</a></li><li><a href="${environmentPath(frame, run.spec)}">${run.spec}</a></li><li><code>${run.id.slice(-8)}</code></li></ol>
<div class="page-head">
<div class="run-title">
<h1 class="break">${titleOf(run, commit)}</h1>
<p class="meta run-meta">${stateBadge(frame, run.state, 'is-large')}<span>${icon(frame, 'server', 'is-small')}${run.environment}</span><span>${icon(frame, 'commit', 'is-small')}${shortSha(run.sha)}</span>${refOf(frame, run)}${
    commit?.author === undefined
      ? ''
      : html`<span>${icon(frame, 'person', 'is-small')}${commit.author}</span>`
  }<span>${causeOf(run)}, ${ago(run.createdAt, frame.now)}</span>${timing(frame, view)}</p>
</div>
<div class="buttons">${buttons(frame, view, viewer)}</div>
</div>
${reason(frame, view)}${pauseOf(frame, view, mayResume)}${gatesOf(frame, view, viewer)}`;
}

/** What keeps the next run there from starting, where the run's own reason does not say it. */
function pauseOf(frame: Frame, { run, pause }: RunView, mayResume: boolean): Content {
  if (pause === undefined || run.reason.startsWith('Paused by ')) return '';
  const { kind, name } = pause;
  return pauseNote(
    frame,
    pause,
    mayResume
      ? html`<a class="button is-small" data-dialog href="${frame.root}${pathTo([`${kind}s`, name, 'resume'])}">Resume</a>`
      : '',
  );
}

/** What it waits for before it starts, what people have answered, and what may be answered. */
function gatesOf(frame: Frame, { run, gates }: RunView, viewer: Viewer): Content {
  if (gates.length === 0) return '';
  const isWaiting = run.state === 'queued' || run.state === 'blocked';
  const button = (action: 'approve' | 'reject' | 'override', text: string, more: string) =>
    isWaiting && viewer.canDo(action, run.repository)
      ? html`<a class="button is-small ${more}" data-dialog href="${frame.root}runs/${run.id}/${action}">${text}</a>`
      : '';
  return html`<ul class="gates panel" aria-label="Gates">${gates.map(
    ({ gate, isOpen, detail, answers }) =>
      html`<li><span class="tone is-${isOpen ? 'held' : 'blocked'}">${icon(frame, isOpen ? 'succeeded' : gate.kind === 'window' ? 'queued' : 'shield')}</span><div><p class="break"><span class="strong">${describeGate(gate)}</span></p><p class="small muted break">${withTimes(detail, frame.now)}${answers.map(
        ({ person, reason: why, at }) =>
          html` · ${nameOf(person)}, ${ago(at, frame.now)}${why === '' ? '' : html`: ${why}`}`,
      )}</p></div><div class="buttons">${
        isOpen
          ? ''
          : gate.kind === 'approve'
            ? [button('reject', 'Reject', 'is-danger'), button('approve', 'Approve', 'is-primary')]
            : button('override', 'Open it', '')
      }</div></li>`,
  )}</ul>`;
}

function timing(frame: Frame, { run, usualMs }: RunView): Content {
  const { startedAt, finishedAt } = run;
  if (startedAt === undefined) return '';
  const usual = usualMs === undefined ? '' : ` of ~${durationText(usualMs)}`;
  return finishedAt === undefined
    ? html`<span>${icon(frame, 'hourglass', 'is-small')}${since(startedAt, frame.now)}${usual}</span>`
    : html`<span>${icon(frame, 'hourglass', 'is-small')}${took(finishedAt - startedAt)}</span>`;
}

/** Why it is as it is, where the state alone does not say it. */
function reason(frame: Frame, { run }: RunView): Content {
  if (run.cancelRequested !== undefined && !hasEnded(run.state)) {
    return html`<div class="note is-warning">${icon(frame, 'stop')}<p class="grow break">${run.cancelRequested}. It stops as soon as its step lets it.</p></div>`;
  }
  if (run.state === 'succeeded' || run.state === 'running' || run.reason === '') return '';
  const sign = { failed: 'alert-fill', blocked: 'blocked', queued: 'queued' }[run.state as string];
  const whose =
    run.fault === 'mainsheet'
      ? ' It was not the fault of a step: its log and that of Mainsheet say more.'
      : '';
  return html`<div class="note is-${run.state}">${icon(frame, sign ?? 'info')}<p class="grow break">${withTimes(run.reason, frame.now)}.${whose}</p></div>`;
}

function buttons(frame: Frame, { run, canGoBack }: RunView, viewer: Viewer): Content {
  const may = (action: 'cancel' | 'retry' | 'rollback') => viewer.canDo(action, run.repository);
  const link = (action: string, sign: string, text: string, more = '') =>
    html`<a class="button ${more}" data-dialog href="${frame.root}runs/${run.id}/${action}">${icon(frame, sign)}${text}</a>`;
  if (!hasEnded(run.state)) {
    return run.cancelRequested === undefined && may('cancel')
      ? link('cancel', 'cancelled', 'Cancel', 'is-danger')
      : '';
  }
  if (isProtection(run)) return '';
  return html`${
    run.state === 'succeeded' && canGoBack && may('rollback')
      ? link('rollback', 'undo', 'Roll back')
      : ''
  }${may('retry') ? link('retry', 'sync', run.state === 'succeeded' ? 'Deploy again' : 'Retry') : ''}`;
}

function logTools(frame: Frame, run: string): Html {
  const here = `${frame.root}runs/${run}/log`;
  return html`<div class="log-tools"><form class="grow" role="search" method="get" action="${here}" hx-get="${here}" hx-trigger="input changed delay:300ms, submit" hx-target="#log-hits" hx-swap="innerHTML" hx-sync="this:replace">${icon(frame, 'search')}<input class="field" type="search" name="q" placeholder="Search the log" aria-label="Search the log" autocomplete="off" maxlength="200"></form><a class="button" href="${here}.txt" download="${run}.log" aria-label="Raw log">${icon(frame, 'download')}<span>Raw log</span></a></div>
<div id="log-hits" aria-live="polite"></div>`;
}
