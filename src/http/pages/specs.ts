import { describeChain, followersOf, type ChainTrigger } from '../../model/chain.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import { isHeldBy, type SeenPause } from '../../model/pause.ts';
import type { Run } from '../../model/run.ts';
import type { Catalog } from '../../spec/catalog.ts';
import type { SpecProblem } from '../../spec/problem.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';
import { found } from '../guard.ts';
import type { Commits } from '../read/commits.ts';
import { resumable, seenPauses } from '../read/held.ts';
import { viewSource, type SourceView } from '../read/specs-source.ts';
import { environmentPath, historyPath, shortSha } from './components/commit.ts';
import { empty, nothingToSee } from './components/empty.ts';
import { older, placeIn } from './components/list.ts';
import { textOf } from './components/spec-text.ts';
import { runRows } from './components/run-rows.ts';
import { pauseNote } from './components/pause.ts';
import { problemPanel } from './components/problems.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { get, type PageRoute } from './page.ts';

export interface SpecPagesDeps {
  store: Store;
  catalog: Catalog;
  commits: Commits;
  /** Of GitHub, without a slash at the end. */
  githubUrl: string;
}

/** The specs in use, what is wrong with those on disk, and what each has deployed. */
export function specRoutes(deps: SpecPagesDeps): PageRoute[] {
  const { store, catalog, commits } = deps;
  return [
    get('/specs', async ({ frame }, viewer) => {
      const { specs, problems, stale, source } = catalog.current();
      const pauses = await seenPauses(deps, viewer);
      const visible = specs.filter(({ spec }) => viewer.canSee(spec.repository));
      const body = html`<main id="main" class="page" data-stream="${frame.root}live"><div class="page-head"><h1>Specs</h1></div>
<div id="list" data-live hx-get="${frame.root}specs" hx-trigger="refresh" hx-select="#list" hx-swap="outerMorph">
${viewer.visible === undefined ? problemList(frame, problems, stale) : ''}
${viewer.visible !== undefined && visible.length === 0 ? '' : sourceLine(viewSource(source, viewer, deps.githubUrl))}
<div class="panel">${
        visible.length === 0
          ? viewer.visible !== undefined
            ? nothingToSee(frame)
            : empty(frame, {
                sign: 'file-code',
                title: 'No deployment spec is in use',
                text: 'Put one into the directory of MAINSHEET_DEPLOYMENTS: it says what is deployed where, and when. In a clone of the repository this proposes one:',
                command: 'mainsheet init',
              })
          : html`<ul class="rows is-alone">${visible.map((loaded) => specRow(frame, loaded, pauses))}</ul>`
      }</div></div></main>`;
      return { page: { title: 'Specs', section: 'Specs', body } };
    }),
    get('/specs/:name', async ({ frame, id: name, query }, viewer) => {
      const loaded = catalog.byName(name);
      const { items, next } = await store.runs.list(placeIn(query, 30).request, {
        spec: name,
        visible: viewer.visible,
      });
      const isVisible =
        loaded === undefined ? items.length > 0 : viewer.canSee(loaded.spec.repository);
      found(isVisible ? name : undefined, 'spec', name);
      const places = (await store.environments.list()).filter(
        (place) => place.spec === name && viewer.canSee(place.repository),
      );
      const lane = loaded?.spec.concurrency.lane ?? items[0]?.lane ?? '';
      const pause = (await seenPauses(deps, viewer)).find((one) =>
        isHeldBy({ spec: name, lane }, one),
      );
      const [mayResume] = pause === undefined ? [] : await resumable(deps, viewer, [pause]);
      const live = places[0]?.run;
      const source = viewSource(catalog.current().source, viewer, deps.githubUrl);
      const body = html`<main id="main" class="page" data-stream="${frame.root}live">
<div id="spec" data-live hx-get="${environmentPath(frame, name)}" hx-trigger="refresh" hx-select="#spec" hx-swap="outerMorph">
${head(frame, name, loaded, { pause, mayResume: mayResume !== undefined }, viewer, items[0])}
<div class="run-columns"><section aria-label="History"><h2 class="for-readers">History</h2><div class="panel">${
        items.length === 0
          ? empty(frame, {
              sign: 'rocket',
              title: 'Nothing was deployed yet',
              text: 'The next event that matches makes a run. Or deploy by hand:',
              command: `mainsheet deploy ${name}`,
            })
          : await runRows(frame, commits, items, { ofSpec: true, live })
      }</div>${older(frame, ['specs', name], {}, next)}</section>
<aside class="run-side" aria-label="About this spec">${about(frame, loaded, places, catalog.current().specs)}</aside></div>
${loaded === undefined ? '' : html`<section class="panel spec-source"><div class="panel-head">${icon(frame, 'file-code')}<h2>${fileName(loaded, source)}</h2><span class="muted small">line ${loaded.line}</span>${sourceLine(source)}</div><pre class="payload" tabindex="0">${textOf(loaded)}</pre></section>`}
</div></main>`;
      return { page: { title: name, section: 'Specs', body } };
    }),
  ];
}

/** `acme/deployments/specs at abc1234`, with links where there are pages. */
function sourceLine(source: SourceView | undefined): Content {
  if (source === undefined) return '';
  const { repository, path, commit, url } = source;
  const place = [repository, path].filter(Boolean).join('/');
  const at = commit === undefined ? '' : html`at ${shortSha(commit)}`;
  const text = html`${place === '' ? 'Specs' : place} ${at}`;
  return html`<p class="small muted break">${url === undefined ? text : html`<a href="${url}">${text}</a>`}</p>`;
}

function problemList(frame: Frame, problems: readonly SpecProblem[], stale: boolean): Content {
  if (problems.length === 0 && !stale) return '';
  const title = 'The specs on disk are not valid. The last valid set stays in use.';
  return problemPanel(
    frame,
    title,
    problems,
    ({ file, line, column }) => `${file}:${line}:${column}`,
  );
}

function fileName(loaded: LoadedSpec, source: SourceView | undefined): Content {
  const url = source?.urlOf(loaded);
  return url === undefined ? loaded.file : html`<a href="${url}">${loaded.file}</a>`;
}

/** As a spec writes them, where that is not the name of the field. */
const TRIGGERS: Record<string, string> = {
  workflowRun: 'workflow_run',
  pullRequest: 'pull_request',
  hooks: 'hook',
  schedules: 'schedule',
  deployments: 'deployment',
};

function triggersOf({ spec }: LoadedSpec): string {
  return Object.entries(spec.on)
    .filter(([, trigger]) => trigger !== undefined)
    .map(([name]) => TRIGGERS[name] ?? name)
    .join(', ');
}

function specRow(frame: Frame, loaded: LoadedSpec, pauses: readonly SeenPause[]): Html {
  const { spec } = loaded;
  const { lane } = spec.concurrency;
  const pause = pauses.find((one) => isHeldBy({ spec: spec.name, lane }, one));
  return html`<li class="run-row is-spec" id="spec-${spec.name}"><span class="muted">${icon(frame, pause === undefined ? 'file-code' : 'pause')}</span>
<div class="cut"><p class="cut"><a class="plain strong row-link" href="${environmentPath(frame, spec.name)}">${spec.name}</a></p>
<p class="meta"><span>${spec.repository}</span><span>${spec.environment}</span><span>on ${triggersOf(loaded)}</span><span>${spec.steps.length} ${spec.steps.length === 1 ? 'step' : 'steps'}</span></p>${pause === undefined || pause.reason === '' ? '' : html`<p class="small muted cut">Paused: ${pause.reason}</p>`}</div>
<div class="row-end">${pause === undefined ? '' : html`<span class="badge is-paused">Paused</span>`}<p class="small muted row-times mono break">${loaded.file}:${loaded.line}</p></div></li>`;
}

function head(
  frame: Frame,
  name: string,
  loaded: LoadedSpec | undefined,
  { pause, mayResume }: { pause: SeenPause | undefined; mayResume: boolean },
  viewer: Viewer,
  newest: Run | undefined,
): Html {
  const where = loaded?.spec.repository ?? newest?.repository ?? '';
  const link = (path: string[], sign: string, text: string) =>
    html`<a class="button" data-dialog href="${frame.root}${pathTo(path)}">${icon(frame, sign)}${text}</a>`;
  const ownLink = (action: 'pause' | 'deploy', sign: string, text: string) =>
    viewer.canDo(action, where) ? link(['specs', name, action], sign, text) : '';
  return html`<ol class="crumbs"><li><a href="${frame.root}specs">Specs</a></li><li>${name}</li></ol>
<div class="page-head"><div class="run-title"><h1 class="break">${name}</h1>
<p class="meta run-meta"><span>${icon(frame, 'repo', 'is-small')}${where}</span>${
    loaded === undefined
      ? html`<span class="badge">No such spec any more</span>`
      : html`<span>${icon(frame, 'server', 'is-small')}${loaded.spec.environment}</span><span>${icon(frame, 'webhook', 'is-small')}on ${triggersOf(loaded)}</span>`
  }</p></div>
<div class="buttons"><a class="button" href="${historyPath(frame, name)}">${icon(frame, 'history')}History</a>${loaded === undefined ? '' : html`<a class="button" href="${frame.root}${pathTo(['specs', name, 'try'])}">${icon(frame, 'play')}Try</a><a class="button" href="${frame.root}${pathTo(['specs', name, 'backtest'])}">${icon(frame, 'compare')}Backtest</a>`}${
    pause === undefined
      ? loaded === undefined
        ? ''
        : ownLink('pause', 'pause', 'Pause')
      : mayResume
        ? link([`${pause.kind}s`, pause.name, 'resume'], 'play', 'Resume')
        : ''
  }${loaded === undefined ? '' : ownLink('deploy', 'rocket', 'Deploy')}</div></div>
${pause === undefined ? '' : pauseNote(frame, pause)}`;
}

function about(
  frame: Frame,
  loaded: LoadedSpec | undefined,
  places: readonly { lane: string; sha: string }[],
  all: readonly LoadedSpec[],
): Content {
  const facts: Content[] = places.map(
    ({ lane, sha }) =>
      html`<dt>Live</dt><dd>${shortSha(sha)}${places.length > 1 ? html` <span class="muted">${lane}</span>` : ''}</dd>`,
  );
  if (loaded !== undefined) {
    const { spec } = loaded;
    facts.push(
      html`<dt>Lane</dt><dd class="break">${spec.concurrency.lane}</dd><dt>Queue</dt><dd>${spec.concurrency.queue === 'newest' ? 'The newest wins' : 'Every run gets its turn'}</dd><dt>Steps</dt><dd>${spec.steps.map(({ name }) => html`<p class="break">${name}</p>`)}</dd>`,
    );
    const other = (name: string, trigger: ChainTrigger) =>
      html`<p class="break"><a href="${environmentPath(frame, name)}">${name}</a> <span class="muted">${describeChain(trigger)}</span></p>`;
    const before = spec.on.deployments ?? [];
    const after = followersOf(spec.name, all);
    if (before.length > 0) {
      facts.push(html`<dt>Started by</dt><dd>${before.map((one) => other(one.spec, one))}</dd>`);
    }
    if (after.length > 0) {
      facts.push(html`<dt>Starts</dt><dd>${after.map((one) => other(one.spec, one.trigger))}</dd>`);
    }
    if (spec.secrets.length > 0) {
      facts.push(html`<dt>Secrets</dt><dd class="mono break">${spec.secrets.join(', ')}</dd>`);
    }
  }
  return html`<section class="side-part"><h2>About</h2><dl class="facts">${facts}</dl></section>`;
}
