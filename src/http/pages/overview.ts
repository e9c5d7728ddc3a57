import { RUN_STATES, type Run } from '../../model/run.ts';
import { isHeldBy, type SeenPause } from '../../model/pause.ts';
import { formatProblem } from '../../spec/problem.ts';
import type { Store } from '../../store/index.ts';
import { resumable } from '../read/held.ts';
import {
  placeOf,
  readOverview,
  type Overview,
  type OverviewDeps,
  type Place,
  type Running,
} from '../read/overview.ts';
import { causeOf, environmentPath, historyPath, runPath, shortSha } from './components/commit.ts';
import type { Viewer } from '../auth/viewer.ts';
import { empty, nothingToSee } from './components/empty.ts';
import { select } from './components/list.ts';
import { historyBars } from './components/history.ts';
import { excerpt } from './components/problems.ts';
import { smallStateIcon, stateIcon, stateName, stateSymbol } from './components/state.ts';
import { ago, durationText, shortAgo, since, timesWritten, withTimes } from './components/time.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { asked, get, type PageRoute } from './page.ts';
import { isoTime } from '../../lib/clock.ts';

interface Filter {
  text: string | undefined;
  repository: string | undefined;
  environment: string | undefined;
  state: string | undefined;
}

/** What is deployed where, what is moving, and what is stuck. */
export function overviewRoutes(deps: OverviewDeps): PageRoute[] {
  return [
    get('/', async ({ frame, query }, viewer) => {
      const whole = await readOverview(deps, viewer);
      const filter: Filter = {
        text: asked(query, 'q'),
        repository: asked(query, 'repository'),
        environment: asked(query, 'environment'),
        state: asked(query, 'state', 20),
      };
      const overview = await narrow(deps.store, whole, filter);
      const mayResume = await resumable(deps, viewer, overview.pauses);
      const body = html`<main id="main" class="page" data-stream="${frame.root}live">
<h1 class="for-readers">Overview</h1>
${filters(frame, overview, filter)}
<div id="overview" data-live hx-get="${frame.root}${pathTo([], shown(filter))}" hx-trigger="refresh" hx-select="#overview" hx-swap="outerMorph">
${content(frame, viewer, overview, filter, mayResume)}
</div>
</main>`;
      return { page: { title: 'Overview', section: 'Overview', body } };
    }),
  ];
}

const shown = ({ text, ...filter }: Filter) => ({ q: text, ...filter });

function filters(frame: Frame, { places }: Overview, filter: Filter): Content {
  if (places.length === 0) return '';
  const of = (key: 'repository' | 'environment') =>
    [...new Set(places.map((place) => place[key]))].sort();
  return html`<form class="filters" method="get" action="${frame.root}" role="search" hx-get="${frame.root}" hx-trigger="input changed delay:200ms, submit" hx-target="#overview" hx-select="#overview" hx-swap="outerMorph" hx-replace-url="true">
<div class="grow">${icon(frame, 'search')}<input class="field" type="search" name="q" value="${filter.text}" placeholder="Find a spec, a commit or an author" aria-label="Find" autocomplete="off"></div>
${select('repository', 'All repositories', of('repository'), filter.repository)}
${select('environment', 'All environments', of('environment'), filter.environment)}
${select('state', 'All states', [...RUN_STATES, 'paused'], filter.state)}
<noscript><button class="button">Show</button></noscript>
</form>`;
}

/** What is asked for by another thing than its state. Broken specs are of no repository, and stay. */
async function narrow(
  { runs }: Pick<Store, 'runs'>,
  overview: Overview,
  { state: _state, ...filter }: Filter,
): Promise<Overview> {
  if (Object.values(filter).every((value) => value === undefined)) return overview;
  const near = overview.places.filter((place) => matches(place, { ...filter, state: undefined }));
  const isNear = (run: Pick<Run, 'spec' | 'lane'>) => {
    const place = placeOf(overview.places, run);
    return place !== undefined && near.includes(place);
  };
  const told = await Promise.all(overview.dead.map(({ run }) => runs.get(run)));
  return {
    ...overview,
    running: overview.running.filter(({ run }) => isNear(run)),
    pauses: overview.pauses.filter((pause) => near.some((place) => isHeldBy(place, pause))),
    rolledBack: overview.rolledBack.filter(({ place }) => near.includes(place)),
    dead: overview.dead.filter((_, index) => {
      const run = told[index];
      return run !== undefined && isNear(run);
    }),
  };
}

function content(
  frame: Frame,
  viewer: Viewer,
  overview: Overview,
  filter: Filter,
  mayResume: readonly SeenPause[],
): Content {
  const { places } = overview;
  if (places.length === 0 && overview.problems.length === 0) {
    if (viewer.visible !== undefined) return html`<div class="panel">${nothingToSee(frame)}</div>`;
    return html`<div class="panel">${empty(frame, {
      sign: 'rocket',
      title: 'Nothing is deployed yet',
      text: 'Put a deployment spec into the directory of MAINSHEET_DEPLOYMENTS. It is in use as soon as it is there. In a clone of the repository this proposes one:',
      command: 'mainsheet init',
    })}</div>`;
  }
  const matching = places.filter((place) => matches(place, filter));
  return html`${attention(frame, overview, mayResume)}${runningNow(frame, overview)}${
    matching.length === 0
      ? html`<div class="panel">${empty(frame, {
          sign: 'search',
          title: 'No spec matches',
          text: html`Nothing is as you asked for. <a href="${frame.root}">Show all</a>`,
        })}</div>`
      : byRepository(frame, matching)
  }`;
}

function matches(place: Place, { text, repository, environment, state }: Filter): boolean {
  if (repository !== undefined && place.repository !== repository) return false;
  if (environment !== undefined && place.environment !== environment) return false;
  if (state === 'paused' && place.pause === undefined) return false;
  if (state !== undefined && state !== 'paused' && place.state !== state) return false;
  if (text === undefined) return true;
  const { spec, deployed } = place;
  return [
    spec,
    place.repository,
    place.environment,
    deployed?.sha,
    deployed?.commit?.title,
    deployed?.commit?.author,
    ...place.active.map(({ sha }) => sha),
  ].some((value) => value?.toLowerCase().includes(text.toLowerCase()) === true);
}

/** What waits for a person. Nothing where there is nothing. */
function attention(frame: Frame, overview: Overview, mayResume: readonly SeenPause[]): Content {
  const { problems, stale, dead, pauses, rolledBack } = overview;
  const notes: Html[] = [];
  if (problems.length > 0 || stale) {
    const [first] = problems;
    notes.push(
      note(frame, 'failed', 'alert-fill', {
        title: html`${problems.length} ${problems.length === 1 ? 'problem' : 'problems'} in the specs`,
        text: html`${first === undefined ? '' : html`<code class="break">${formatProblem(first)}</code>. `}The last valid set stays in use.`,
        more: first === undefined ? '' : excerpt(first),
        link: html`<a class="button is-small" href="${frame.root}specs">Show</a>`,
      }),
    );
  }
  if (dead.length > 0) {
    notes.push(
      note(frame, 'failed', 'callback', {
        title: html`${dead.length} ${dead.length === 1 ? 'callback was' : 'callbacks were'} given up`,
        text: html`<span class="break">${dead[0]?.error ?? ''}</span>`,
        link: html`<a class="button is-small" href="${frame.root}callbacks?state=dead">Show</a>`,
      }),
    );
  }
  for (const pause of pauses) {
    const { kind, name, since: at, by, reason } = pause;
    notes.push(
      note(frame, 'paused', 'pause', {
        title: html`${kind === 'spec' ? 'Spec' : 'Lane'} <span class="strong">${name}</span> is paused`,
        text: html`${by === undefined ? '' : html`By ${by}, `}${ago(at, frame.now)}${reason === '' ? '' : html`: ${reason}`}`,
        link: mayResume.includes(pause)
          ? html`<a class="button is-small" data-dialog href="${frame.root}${pathTo([`${kind}s`, name, 'resume'])}">Resume</a>`
          : undefined,
      }),
    );
  }
  for (const { place, by, reason, at } of rolledBack) {
    notes.push(
      note(frame, 'warning', 'undo', {
        title: html`<a class="plain strong" href="${environmentPath(frame, place.spec)}">${place.spec}</a> was rolled back to ${shortSha(place.deployed?.sha ?? '')}`,
        text: html`${by === undefined ? '' : html`By ${by}, `}${ago(at, frame.now)}${reason === undefined ? '' : html`: <span class="break">${reason}</span>`}`,
        link: html`<a class="button is-small" href="${historyPath(frame, place.spec)}">History</a>`,
      }),
    );
  }
  return notes.length === 0
    ? ''
    : html`<section class="section attention" aria-label="Needs attention">${notes}</section>`;
}

function note(
  frame: Frame,
  tone: 'failed' | 'paused' | 'warning',
  sign: string,
  { title, text, more, link }: { title: Html; text: Html; more?: Content; link?: Html | undefined },
): Html {
  return html`<div class="note is-${tone}">${icon(frame, sign)}<div class="grow"><p>${title}</p><p class="small muted">${text}</p>${more}</div>${link}</div>`;
}

function runningNow(frame: Frame, { running }: Overview): Content {
  if (running.length === 0) return '';
  return html`<section class="section"><div class="section-head"><h2>Running now</h2><span class="count">${running.length}</span></div>
<ul class="cards">${running.map((one) => card(frame, one))}</ul></section>`;
}

function card(frame: Frame, { run, commit, step, steps, usualMs }: Running): Html {
  const startedAt = run.startedAt ?? frame.now;
  const elapsed = frame.now - startedAt;
  return html`<li class="card" id="running-${run.id}">
<div class="card-head">${stateIcon(frame, 'running')}<a class="plain strong cut row-link" href="${runPath(frame, run.id)}">${run.spec}</a><span class="badge is-square">${run.environment}</span></div>
<p class="cut">${shortSha(run.sha)} <span class="muted">${commit?.title ?? causeOf(run)}</span></p>
${
  usualMs === undefined
    ? html`<progress aria-label="Progress of ${run.spec}"></progress>`
    : html`<progress aria-label="Progress of ${run.spec}" max="${usualMs}" value="${Math.min(elapsed, usualMs * 0.99)}" data-since="${isoTime(startedAt)}"></progress>`
}
<p class="small muted card-foot"><span class="cut">${step === undefined ? 'Checkout' : html`${step.name} · ${step.index + 1} of ${steps}`}</span><span class="num">${since(startedAt, frame.now)}${usualMs === undefined ? '' : html` of ~${durationText(usualMs)}`}</span></p>
</li>`;
}

/** Without what only repeats itself: 200 of them are to be less than 100 KB. */
function byRepository(frame: Frame, places: readonly Place[]): Content {
  const repositories = [...new Set(places.map(({ repository }) => repository))].sort();
  const groups = repositories.map((repository) => {
    const own = places.filter((place) => place.repository === repository);
    return html`<section><h2 class="cut">${repository}</h2><ul>${own.map((place) => row(frame, place))}</ul></section>`;
  });
  const states = new Set(places.map(stateOf));
  return html`${[...states].map((state) => stateSymbol(state))}<div class="panel places">${groups}</div>`;
}

function stateOf({ pause, active, state }: Place) {
  return pause !== undefined && active.length === 0 ? 'paused' : state;
}

function row(frame: Frame, place: Place): Html {
  const { spec, environment, deployed, previews, recent } = place;
  const state = stateOf(place);
  return html`<li>${smallStateIcon(state)}<div><a href="${pathTo(['specs', spec])}">${spec}</a><p>${environment}${place.isRemoved ? ' · no spec any more' : ''}</div><div>${
    deployed === undefined
      ? previews === undefined
        ? html`<p>Not deployed yet`
        : html`<p>Previews only<p>${previews === 0 ? 'None is up' : previews === 1 ? '1 is up' : `${previews} are up`}`
      : html`<p><code>${deployed.sha.slice(0, 7)}</code> ${deployed.commit?.title ?? ''}<p>${deployed.commit?.author === undefined ? '' : html`${deployed.commit.author} · `}${shortAgo(deployed.deployedAt, frame.now)}`
  }</div><div>${news(frame, place)}</div>${historyBars(recent)}`;
}

/** What the last run says that the deployed revision does not. */
function news(frame: Frame, place: Place): Content {
  const { active, isMoreActive, recent, deployed, pause, usualMs } = place;
  const run = active.find(({ state }) => state === place.state) ?? active[0];
  if (run?.state === 'running') {
    const queued = active.filter(({ state }) => state === 'queued').length;
    return html`<p class="tone is-running">Running ${shortSha(run.sha)}</p><p class="muted">${since(run.startedAt ?? frame.now, frame.now)}${usualMs === undefined ? '' : html` of ~${durationText(usualMs)}`}${queued === 0 ? '' : ` · ${queued}${isMoreActive ? ' or more' : ''} queued`}</p>`;
  }
  if (run !== undefined) {
    return html`<p class="tone is-${run.state}">${stateName(run.state)} ${shortSha(run.sha)}</p><p class="muted cut" title="${timesWritten(run.reason)}">${withTimes(run.reason, frame.now)}</p>`;
  }
  if (pause !== undefined) {
    return html`<p class="tone is-paused">Paused</p><p class="muted cut" title="${pause.reason}">${pause.reason}</p>`;
  }
  const last = recent.find(({ state }) => state !== 'superseded');
  if (last === undefined) return '';
  const { finishedAt, startedAt } = last;
  if (last.id === deployed?.run && finishedAt !== undefined) {
    return html`<p>Succeeded in ${durationText(finishedAt - (startedAt ?? finishedAt))}`;
  }
  return html`<p class="tone is-${last.state}">${stateName(last.state)} ${shortSha(last.sha)}</p><p class="muted cut" title="${timesWritten(last.reason)}">${withTimes(last.reason, frame.now)}</p>`;
}
