import { formatWall } from '../../lib/wall-clock.ts';
import { elsewhere } from '../../lib/names.ts';
import {
  readAutomation,
  type Automation,
  type Gathering,
  type Promotion,
  type Scheduled,
} from '../read/automation.ts';
import type { PreviewView } from '../read/previews.ts';
import type { OverviewDeps } from '../read/overview.ts';
import { chainPicture } from './components/chain-picture.ts';
import { githubHome } from '../read/web-pages.ts';
import { environmentPath, runPath, shortSha } from './components/commit.ts';
import { empty } from './components/empty.ts';
import { stateIcon } from './components/state.ts';
import { ago, exact, until } from './components/time.ts';
import { html, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { get, type PageRoute } from './page.ts';

/** What starts by itself, and what waits before it does: chains, batches, schedules and previews. */
export function automationRoutes(
  deps: OverviewDeps & { clock: { now(): number }; githubUrl: string },
): PageRoute[] {
  return [
    get('/automation', async ({ frame }, viewer) => {
      const view = await readAutomation(deps, viewer);
      const body = html`<main id="main" class="page" data-stream="${frame.root}live">
<div class="page-head"><div><h1>Automation</h1><p class="muted">What starts by itself, and what waits before it does.</p></div></div>
<div id="list" data-live hx-get="${frame.root}automation" hx-trigger="refresh" hx-select="#list" hx-swap="outerMorph">
${chains(frame, view)}
${batches(frame, view.batches)}
${schedules(frame, view.schedules)}
${previews(frame, view.previews, deps.githubUrl)}
</div></main>`;
      return { page: { title: 'Automation', section: 'Automation', body } };
    }),
  ];
}

function section(
  frame: Frame,
  { sign, title, about, count }: { sign: string; title: string; about?: string; count: number },
  body: Content,
): Html {
  return html`<section class="panel"><div class="panel-head">${icon(frame, sign)}<h2>${title}</h2>${count === 0 ? '' : html`<span class="count">${count}</span>`}${
    about === undefined ? '' : html`<span class="muted small end hide-narrow">${about}</span>`
  }</div>${body}</section>`;
}

/** One line where a section has nothing. */
function nothing(text: Content): Html {
  return html`<p class="nothing muted">${text}</p>`;
}

function chains(frame: Frame, { chains: graphs, places, promotions }: Automation): Html {
  const body =
    graphs.length + promotions.length === 0
      ? empty(frame, {
          sign: 'workflow',
          title: 'No spec starts another',
          text: html`A spec with <code>on.deployment</code> deploys the revision that another one has deployed, after it was healthy for some time or people have approved it.`,
        })
      : [
          graphs.map((graph) => chainPicture(frame, graph, places, promotions)),
          promotions.length === 0
            ? ''
            : html`<ul class="rows">${promotions.map((one) => promotion(frame, one))}</ul>`,
        ];
  return section(
    frame,
    {
      sign: 'workflow',
      title: 'Chains',
      about: 'the same revision goes from one spec to the next',
      count: graphs.length,
    },
    body,
  );
}

function promotion(frame: Frame, { kind, from, to, sha, run, at, reason }: Promotion): Html {
  return html`<li class="run-row"><span class="tone is-blocked">${icon(frame, kind === 'soak' ? 'hourglass' : 'blocked')}</span>
<div class="whole"><p><a class="plain strong row-link" href="${runPath(frame, run.id)}">${to}</a> <span class="muted">waits with</span> ${shortSha(sha)}${from === undefined ? '' : html` <span class="muted">of ${from}</span>`}</p><p class="small muted break">${
    at === undefined ? reason : html`Starts at ${exact(at)}, if ${from} is healthy until then`
  }</p></div><div class="row-end"><p class="small muted row-times">${at === undefined ? html`${ago(run.createdAt, frame.now)}` : until(at, frame.now)}</p></div></li>`;
}

function batches(frame: Frame, open: readonly Gathering[]): Html {
  return section(
    frame,
    {
      sign: 'package',
      title: 'Batches',
      about: 'one run for all that comes in a while',
      count: open.length,
    },
    open.length === 0
      ? nothing('No run gathers events.')
      : html`<ul class="rows">${open.map(
          ({ run, spec, key, closesAt, events, most, of }) =>
            html`<li class="run-row">${stateIcon(frame, of.state)}<div class="whole"><p><a class="plain strong row-link" href="${runPath(frame, run)}">${spec}</a> <span class="muted">has</span> ${events} ${events === 1 ? 'event' : 'events'}${most === undefined ? '' : html` <span class="muted">of at most ${most}</span>`}</p><p class="meta"><span>${of.environment}</span>${key === '' ? '' : html`<span>key <code class="break">${key}</code></span>`}<span>ends at ${exact(closesAt)}</span></p></div><div class="row-end"><p class="small muted row-times">${until(closesAt, frame.now)}</p></div></li>`,
        )}</ul>`,
  );
}

function schedules(frame: Frame, all: readonly Scheduled[]): Html {
  return section(
    frame,
    { sign: 'queued', title: 'Schedules', about: 'by the clock of their zone', count: all.length },
    all.length === 0
      ? nothing(html`No spec has <code>on.schedule</code>.`)
      : html`<ul class="rows">${all.map((one) => scheduled(frame, one))}</ul>`,
  );
}

function scheduled(
  frame: Frame,
  { spec, environment, schedule, next, last, missed }: Scheduled,
): Html {
  const { cron, timeZone, ref } = schedule;
  const [first, ...others] = next;
  return html`<li class="run-row"><span class="muted">${icon(frame, 'queued')}</span><div class="whole"><p><a class="plain strong row-link" href="${environmentPath(frame, spec)}">${spec}</a> <code>${cron}</code></p>
<p class="meta"><span>${environment}</span>${ref === undefined ? '' : html`<span>${icon(frame, 'branch', 'is-small')}${ref}</span>`}<span>${
    first === undefined ? 'has no time any more' : `next ${formatWall(first, timeZone)}`
  }</span>${others.map((at) => html`<span class="hide-narrow">${withoutZone(formatWall(at, timeZone), timeZone)}</span>`)}</p>
<p class="meta">${
    last === undefined
      ? html`<span>No run of it is kept</span>`
      : html`<span class="above">${stateIcon(frame, last.run.state)}<a href="${runPath(frame, last.run.id)}">last at ${withoutZone(formatWall(last.due, timeZone), timeZone)}</a></span>`
  }${
    missed === undefined || missed < (last?.due ?? 0)
      ? ''
      : html`<span class="tone is-warning">${icon(frame, 'alert', 'is-small')}missed ${withoutZone(formatWall(missed, timeZone), timeZone)}, and skipped</span>`
  }</p></div><div class="row-end"><p class="small muted row-times">${first === undefined ? '' : until(first, frame.now)}</p></div></li>`;
}

const withoutZone = (text: string, zone: string) => text.slice(0, -zone.length - 1);

function previews(frame: Frame, all: readonly PreviewView[], githubUrl: string): Html {
  return section(
    frame,
    {
      sign: 'branch',
      title: 'Previews',
      about: 'an environment for each pull request',
      count: all.length,
    },
    all.length === 0
      ? nothing(
          html`No pull request is deployed. A spec with <code>on.pull_request</code> gives each an environment of its own.`,
        )
      : html`<ul class="rows">${all.map((one) => preview(frame, one, githubUrl))}</ul>`,
  );
}

/** What is live shows the state of its run. */
const PREVIEW_ICONS = { live: undefined, ending: 'pending', left: 'failed' } as const;

function preview(
  frame: Frame,
  { preview: one, run, url, state }: PreviewView,
  githubUrl: string,
): Html {
  const { repository, number, spec, sha, dueAt, notedAt, fork, reason } = one;
  const link =
    elsewhere(repository) === undefined
      ? html`<a class="above" href="${githubHome(githubUrl, repository)}/pull/${number}" rel="noreferrer">#${number}</a>`
      : html`#${number}`;
  return html`<li class="run-row">${stateIcon(frame, PREVIEW_ICONS[state] ?? run?.state ?? 'none')}<div class="whole"><p>${
    run === undefined
      ? html`<span class="strong">${spec}</span>`
      : html`<a class="plain strong row-link" href="${runPath(frame, run.id)}">${spec}</a>`
  } ${link}</p>
<p class="meta">${url === undefined ? '' : html`<span><a class="above" href="${url}" rel="noreferrer">${hostOf(url)} ${icon(frame, 'external', 'is-small')}</a></span>`}<span>${repository}</span><span>${shortSha(sha)}</span><span>deployed ${ago(run?.createdAt ?? notedAt, frame.now)}</span>${fork ? html`<span>from a fork</span>` : ''}</p>${
    state === 'live'
      ? ''
      : html`<p class="small muted break">${state === 'left' ? 'Left over, although it was to be taken down' : 'Is taken down'}: ${reason}</p>`
  }</div><div class="row-end"><p class="small muted row-times">${state === 'live' ? html`ends ${until(dueAt, frame.now)}` : state}</p></div></li>`;
}

function hostOf(url: string): string {
  return new URL(url).host;
}
