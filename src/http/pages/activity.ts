import type { AuditEntry } from '../../store/audit.ts';
import type { Store } from '../../store/index.ts';
import { deedOf } from './components/deed.ts';
import { empty } from './components/empty.ts';
import { listPage, placeIn, rowsOf, select } from './components/list.ts';
import { ago, withTimes } from './components/time.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { asked, get, type PageRoute } from './page.ts';

const SHOWN = 50;

/** What people do most; the address takes any other, too. */
const ACTIONS = [
  'run.approve',
  'run.cancel',
  'run.override',
  'run.reject',
  'run.retry',
  'run.rollback',
  'spec.deploy',
  'spec.pause',
  'spec.resume',
  'lane.pause',
  'lane.resume',
  'delivery.replay',
  'outbox.retry',
  'hook.create',
  'hook.rotate',
  'hook.delete',
];

const SIGNS: Record<string, string> = {
  approve: 'check',
  cancel: 'cancelled',
  create: 'key',
  delete: 'x',
  deploy: 'rocket',
  override: 'shield',
  pause: 'pause',
  reject: 'x',
  replay: 'sync',
  resume: 'play',
  retry: 'sync',
  rollback: 'undo',
  rotate: 'key',
};

/** Who did what, to what a viewer may see. From where is for those who may see everything. */
export function activityRoutes(deps: { store: Store }): PageRoute[] {
  return [
    get('/activity', async ({ frame, query }, viewer) => {
      const seen = viewer.visible;
      const filter = {
        actor: asked(query, 'actor'),
        action: asked(query, 'action', 100),
        subject: asked(query, 'subject'),
      };
      const place = placeIn(query, SHOWN);
      const { items, next } = await deps.store.audit.search(place.request, { ...filter, seen });
      const actions = [...new Set([...ACTIONS, ...(filter.action ?? '').split(' ')])];
      return listPage(frame, {
        name: 'Activity',
        about: 'What people did by hand.',
        fields: [
          text(frame, 'actor', 'person', 'Who', filter.actor),
          text(
            frame,
            'subject',
            'search',
            'To what: a run, a spec, a lane, a hook',
            filter.subject,
          ),
          select(
            'action',
            'All actions',
            actions.filter((one) => one !== ''),
            filter.action,
            inCapital,
          ),
        ],
        filter,
        place,
        next,
        rows: rowsOf(items, (entry) => row(frame, entry, seen === undefined)),
        none: nothing(
          frame,
          Object.values(filter).some((value) => value !== undefined),
        ),
      });
    }),
  ];
}

function nothing(frame: Frame, isFiltered: boolean): Html {
  return isFiltered
    ? empty(frame, {
        sign: 'search',
        title: 'Nothing of that kind was done',
        text: html`Names are whole ones. <a href="${frame.root}activity">Show all</a>`,
      })
    : empty(frame, {
        sign: 'history',
        title: 'Nothing was done by hand yet',
        text: 'Each cancel, retry, rollback, deployment by hand, approval, pause and resume is written down here, with who it was and from where.',
      });
}

function text(
  frame: Frame,
  name: string,
  sign: string,
  hint: string,
  value: string | undefined,
): Html {
  return html`<div class="grow">${icon(frame, sign)}<input class="field" name="${name}" value="${value}" placeholder="${hint}" aria-label="${hint}" autocomplete="off" spellcheck="false"></div>`;
}

function row(
  frame: Frame,
  { at, actor, action, subject, detail, origin }: AuditEntry,
  isForAll: boolean,
): Html {
  const only = (name: string, value: string) =>
    `${frame.root}${pathTo(['activity'], { [name]: value })}`;
  return html`<li class="run-row"><span class="muted">${icon(frame, SIGNS[action.split('.')[1] ?? ''] ?? 'person')}</span><div class="whole"><p><a class="plain strong" href="${only('actor', actor)}">${actor}</a> <a class="plain" href="${only('action', action)}">${deedOf(action)}</a> ${subjectOf(frame, action, subject)}</p>${detail === '' ? '' : html`<p class="small muted">${withTimes(detail, frame.now)}</p>`}${isForAll ? html`<p class="small muted">${origin ?? (actor.startsWith('github:') ? 'on GitHub' : '')}</p>` : ''}</div><div class="row-end"><p class="small muted row-times">${ago(at, frame.now)}</p></div></li>`;
}

/** "Retried run". */
function inCapital(action: string): string {
  const deed = deedOf(action);
  return (deed[0]?.toUpperCase() ?? '') + deed.slice(1);
}

const ROOMS: Record<string, string> = {
  run: 'runs',
  comment: 'runs',
  delivery: 'deliveries',
  spec: 'specs',
  outbox: 'callbacks',
  hook: 'hooks',
};

/** What it was done to, as a link where it has a page. */
function subjectOf(frame: Frame, action: string, subject: string): Content {
  const [kind = ''] = action.split('.');
  const room = ROOMS[kind];
  // What was refused to a comment was asked of no run; of a hook that was made here no list has the whole id.
  const name = kind === 'hook' ? `${subject.slice(0, 6)}…` : subject;
  if (room === undefined || action === 'hook.delete' || /^all$|[#@]/.test(subject))
    return html`<code class="break">${name}</code>`;
  return html`<a href="${frame.root}${pathTo([room, subject])}"><code class="break">${name}</code></a>`;
}
