import { whyRolledBack } from '../../model/rollback-reason.ts';
import type { Run } from '../../model/run.ts';
import type { Chain } from '../../store/chains.ts';
import type { RunView } from '../read/run.ts';
import { webPagesOf, type WebServers } from '../read/web-pages.ts';
import { answerOf, callbackName, tells } from './components/callbacks.ts';
import { causeOf, environmentPath, runPath, shortSha } from './components/commit.ts';
import { deedOf } from './components/deed.ts';
import { reasonList } from './components/reasons.ts';
import { stateIcon } from './components/state.ts';
import { ago, exact, withTimes } from './components/time.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';

/** What made a run, what it deployed, and what came of it. */
export function sidebar(frame: Frame, view: RunView, at: WebServers): Content {
  return [
    revision(frame, view, at),
    trigger(frame, view),
    batch(frame, view),
    chain(frame, view),
    outputs(view),
    callbacks(frame, view),
    audit(frame, view),
  ];
}

function part(title: string, body: Content): Html {
  return html`<section class="side-part"><h2>${title}</h2>${body}</section>`;
}

function revision(
  frame: Frame,
  { run, before, beforeCommit, deployedRun }: RunView,
  at: WebServers,
): Html {
  const pages = webPagesOf(run.repository, at);
  const out = (url: string | undefined, text: Content) =>
    url === undefined
      ? text
      : html`<a href="${url}" rel="noreferrer">${text}${icon(frame, 'external', 'is-small')}</a>`;
  return part(
    'Revision',
    html`<dl class="facts"><dt>Repository</dt><dd class="break">${run.repository}</dd><dt>Commit</dt><dd>${out(pages?.commit(run.sha), shortSha(run.sha))}</dd>${
      before === undefined
        ? ''
        : html`<dt>Before</dt><dd><a href="${runPath(frame, before.id)}">${shortSha(before.sha)}</a> <span class="muted">${beforeCommit?.title ?? ''}</span></dd><dt>Changes</dt><dd>${out(pages?.compare(before.sha, run.sha), 'Compare')}</dd>`
    }<dt>Environment</dt><dd><a href="${environmentPath(frame, run.spec)}">${run.environment}</a>${deployedRun === run.id ? html` <span class="badge is-succeeded">Live</span>` : ''}</dd></dl>`,
  );
}

function trigger(frame: Frame, { run, delivery, verdict, made }: RunView): Html {
  const why = made && whyRolledBack(made.detail);
  return part(
    'Trigger',
    html`<p>${causeOf(run)}${made === undefined ? '' : html` by <span class="strong break">${made.actor}</span>`}${
      delivery === undefined
        ? ''
        : html` · <a href="${frame.root}${pathTo(['deliveries', delivery.id])}">delivery</a>`
    } <span class="muted">${ago(run.createdAt, frame.now)}</span></p>${why === undefined ? '' : html`<p class="break">${why}</p>`}${verdict === undefined ? '' : reasonList(frame, verdict.reasons)}`,
  );
}

const MOST_LISTED = 20;

function batch(frame: Frame, { batch: taken }: RunView): Content {
  if (taken === undefined) return '';
  const { deliveries, closedAt } = taken;
  const more = deliveries.length - MOST_LISTED;
  return part(
    closedAt === undefined ? `${deliveries.length} events so far` : `${deliveries.length} events`,
    html`<ul class="side-list">${deliveries
      .slice(0, MOST_LISTED)
      .map(
        (id) =>
          html`<li>${icon(frame, 'webhook')}<a class="plain break" href="${frame.root}${pathTo(['deliveries', id])}">${id}</a></li>`,
      )}</ul>${more > 0 ? html`<p class="small muted">and ${more} more</p>` : ''}`,
  );
}

function chain(frame: Frame, { starts, startedBy }: RunView): Content {
  if (starts.length === 0 && startedBy === undefined) return '';
  const link = ({ id, spec, state }: Run) =>
    html`${stateIcon(frame, state)}<div><p><a class="plain" href="${runPath(frame, id)}">${spec}</a></p></div>`;
  const before =
    startedBy === undefined
      ? ''
      : html`<p class="muted small">Started by</p><ul class="side-list"><li>${link(startedBy)}</li></ul>`;
  const after =
    starts.length === 0
      ? ''
      : html`<p class="muted small">Starts</p><ul class="side-list">${starts.map(
          (one) =>
            html`<li>${one.run === undefined ? notStarted(frame, one.chain) : link(one.run)}</li>`,
        )}</ul>`;
  return part('Chain', html`${before}${after}`);
}

function notStarted(frame: Frame, { spec, state, dueAt, reason, delivery }: Chain): Html {
  const why =
    state === 'waiting'
      ? html`${exact(dueAt)}, if it is healthy until then`
      : delivery === undefined
        ? html`Not started: ${reason}`
        : html`<a href="${frame.root}${pathTo(['deliveries', delivery])}">No run came of it</a>`;
  return html`${icon(frame, state === 'waiting' ? 'hourglass' : 'cancelled')}<div><p><a class="plain" href="${environmentPath(frame, spec)}">${spec}</a></p><p class="small muted break">${why}</p></div>`;
}

function outputs({ run }: RunView): Content {
  const entries = Object.entries(run.outputs);
  if (entries.length === 0) return '';
  return part(
    'Outputs',
    html`<dl class="outputs">${entries.map(([name, value]) => html`<dt class="mono muted">${name}</dt><dd class="mono break">${linked(value)}</dd>`)}</dl>`,
  );
}

/** An address leads there. */
function linked(value: string): Content {
  const isAddress = /^https:\/\/[^\s<>"]+$/.test(value) && URL.canParse(value);
  return isAddress ? html`<a href="${value}" rel="noreferrer">${value}</a>` : value;
}

function callbacks(frame: Frame, view: RunView): Content {
  if (view.callbacks.length === 0) return '';
  return part(
    'Callbacks',
    html`<ul class="side-list">${view.callbacks.map(
      (entry) =>
        html`<li>${stateIcon(frame, entry.state)}<div><p><a class="plain" href="${frame.root}callbacks/${entry.id}">${callbackName(entry)}</a> <span class="muted">${tells(entry)}</span></p>${
          entry.error === undefined || entry.state === 'sent'
            ? ''
            : html`<p class="small muted break">${entry.error}</p>`
        }${answerOf(frame, entry)}</div><span class="small muted">${ago(entry.finishedAt ?? entry.createdAt, frame.now)}</span></li>`,
    )}</ul>`,
  );
}

function audit(frame: Frame, view: RunView): Content {
  const entries = [...(view.made === undefined ? [] : [view.made]), ...view.audit];
  if (entries.length === 0) return '';
  return part(
    'Activity',
    html`<ul class="side-list">${entries.map(
      ({ at, actor, action, detail }) =>
        html`<li>${icon(frame, 'person')}<div><p><span class="strong">${actor}</span> ${deedOf(action)}</p><p class="small muted break">${withTimes(detail, frame.now)}</p></div><span class="small muted">${ago(at, frame.now)}</span></li>`,
    )}</ul>`,
  );
}
