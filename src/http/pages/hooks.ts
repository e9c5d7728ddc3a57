import type { TryHook } from '../../controller/hooks/try-out.ts';
import { hookEventName } from '../../model/hook.ts';
import type { Viewer } from '../auth/viewer.ts';
import { found } from '../guard.ts';
import type { RefusedCount } from '../hook-refusals.ts';
import {
  readHook,
  readHooks,
  readMadeHooks,
  type HookView,
  type HookViewDeps,
} from '../read/hooks.ts';
import { empty, nothingToSee } from './components/empty.ts';
import { older, placeIn } from './components/list.ts';
import { inWords } from './components/starts.ts';
import { ago, exact, until } from './components/time.ts';
import { readForm } from './form.ts';
import { hookSidebar } from './hook-sidebar.ts';
import { MOST_TRIED, outcome, tryBox, tryOut, type Tried } from './hook-trial.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { asked, get, post, type PageRoute } from './page.ts';

export interface HookPagesDeps extends HookViewDeps {
  tryHook: TryHook;
  /** Without a slash at the end; undefined: only the path is known. */
  publicUrl: string | undefined;
}

/** Where senders can start runs: hooks in files, and those that were made through the API. */
export function hookPageRoutes(deps: HookPagesDeps): PageRoute[] {
  return [
    get('/hooks', async ({ frame, query }, viewer) => {
      const owner = asked(query, 'owner');
      const { request } = placeIn(query, 50);
      const configured = await readHooks(deps, viewer);
      const made = await readMadeHooks(deps, viewer, request, owner);
      const body = html`<main id="main" class="page">
<div class="page-head"><div><h1>Hooks</h1><p class="muted">Where senders beside GitHub can start runs.</p></div></div>
${inFiles(frame, viewer, configured)}
${made === undefined ? '' : throughApi(frame, made.items)}
${made === undefined ? '' : older(frame, ['hooks'], { owner }, made.next)}
</main>`;
      return { page: { title: 'Hooks', section: 'Hooks', body } };
    }),
    get('/hooks/:id', async ({ frame, id }, viewer) => {
      const view = found(await readHook(deps, viewer, id), 'hook', id);
      return hookPage(frame, viewer, view, deps, undefined);
    }),
    post('/hooks/:id/try', async ({ ctx, frame, id }, viewer) => {
      const view = found(await readHook(deps, viewer, id), 'hook', id);
      const form = await readForm(ctx, MOST_TRIED);
      const tried = await tryOut(deps.tryHook, viewer, view, form);
      return hookPage(frame, viewer, view, deps, tried);
    }),
  ];
}

function inFiles(frame: Frame, viewer: Viewer, hooks: readonly HookView[]): Html {
  if (hooks.length === 0) {
    if (viewer.visible !== undefined) return html`<div class="panel">${nothingToSee(frame)}</div>`;
    return html`<div class="panel">${empty(frame, {
      sign: 'webhook',
      title: 'No hooks',
      text: 'A hook is a file beside the specs, with “kind: hook”. At its address any sender can start runs: a registry, a monitoring system, a shop.',
    })}</div>`;
  }
  return html`<section class="panel"><div class="panel-head">${icon(frame, 'file-code')}<h2>In files</h2><span class="count">${hooks.length}</span></div>
<ul class="rows">${hooks.map(
    (view) =>
      html`<li class="run-row"><span class="muted">${icon(frame, 'webhook')}</span><div class="whole"><p><a class="plain strong row-link" href="${hookPath(frame, view)}">${view.id}</a></p><p class="meta"><span>${view.hook?.sender}</span>${starts(view)}${refusedBadge(view)}</p></div>${lastOf(frame, view)}</li>`,
  )}</ul></section>`;
}

function throughApi(frame: Frame, hooks: readonly HookView[]): Html {
  return html`<section class="panel"><div class="panel-head">${icon(frame, 'key')}<h2>Made through the API</h2><span class="count">${hooks.length}</span></div>${
    hooks.length === 0
      ? html`<p class="nothing muted">None. One for a tenant or a session is made with <code>mainsheet hooks create</code>: with an id and a secret of its own, for some time.</p>`
      : html`<ul class="rows">${hooks.map((view) => {
          const { dynamic, id } = view;
          const isOver = (dynamic?.expiresAt ?? 0) <= frame.now;
          return html`<li class="run-row"><span class="muted">${icon(frame, 'key')}</span><div class="whole"><p><a class="plain strong row-link" href="${hookPath(frame, view)}">${dynamic?.owner}</a> <code class="muted">${id.slice(0, 6)}…</code></p><p class="meta"><span>of ${dynamic?.hook}</span>${starts(view)}${
            isOver
              ? html`<span class="tone is-failed">has expired</span>`
              : html`<span>expires ${until(dynamic?.expiresAt ?? 0, frame.now)}</span>`
          }${refusedBadge(view)}</p></div>${lastOf(frame, view)}</li>`;
        })}</ul>`
  }</section>`;
}

const hookPath = (frame: Frame, { id }: HookView) => frame.root + pathTo(['hooks', id]);

function starts({ specs, rollsBack, hook }: HookView): Content {
  if (hook?.server !== undefined) return html`<span>pushes of ${hook.server}</span>`;
  if (specs.length === 0) return html`<span>starts no spec</span>`;
  const said = inWords(specs, (name) => rollsBack.includes(name));
  return said.map((text) => html`<span>${text}</span>`);
}

function refusedBadge({ refused }: HookView): Content {
  const count = refused.reduce((sum, one) => sum + one.count, 0);
  return count === 0 ? '' : html`<span class="tone is-failed">${count} refused</span>`;
}

function lastOf(frame: Frame, { last }: HookView): Html {
  return html`<div class="row-end"><p class="small muted row-times">${last === undefined ? '' : ago(last.receivedAt, frame.now)}</p></div>`;
}

function hookPage(
  frame: Frame,
  viewer: Viewer,
  view: HookView,
  { publicUrl, refused }: HookPagesDeps,
  tried: Tried | undefined,
) {
  const { id, hook, dynamic } = view;
  const isOver = dynamic !== undefined && dynamic.expiresAt <= frame.now;
  const title = dynamic === undefined ? id : `${dynamic.hook} for ${dynamic.owner}`;
  const box = hook === undefined || isOver ? '' : tryBox(frame, view, tried);
  const requested = viewer.visible === undefined ? requests(frame, view, refused.since) : '';
  const body = html`<main id="main" class="page">
<ol class="crumbs"><li><a href="${frame.root}hooks">Hooks</a></li><li>${dynamic === undefined ? id : html`<code>${id.slice(0, 6)}…</code>`}</li></ol>
<div class="page-head"><div class="run-title"><h1 class="break">${title}</h1><p class="meta run-meta"><span>${icon(frame, 'webhook', 'is-small')}${hook?.sender ?? 'its file is gone'}</span>${
    view.at === undefined
      ? ''
      : html`<span class="mono">${icon(frame, 'file-code', 'is-small')}${view.at.file}:${view.at.line}</span>`
  }${dynamic === undefined ? '' : isOver ? html`<span class="badge is-failed">Expired</span>` : html`<span>expires ${until(dynamic.expiresAt, frame.now)}</span>`}</p></div></div>
<div class="run-columns"><div>
${tried === undefined ? [requested, box] : [outcome(frame, tried), box, requested]}
</div>
<aside class="run-side" aria-label="About this hook">${hookSidebar(frame, view, publicUrl)}</aside></div>
</main>`;
  return { page: { title, section: 'Hooks' as const, body } };
}

function requests(
  frame: Frame,
  { hook, dynamic, last, refused }: HookView,
  since: number,
): Content {
  const newest = html`<section class="panel"><div class="panel-head">${icon(frame, 'inbox')}<h2>Last request</h2>${
    hook === undefined || dynamic !== undefined
      ? ''
      : html`<a class="small end" href="${frame.root}${pathTo(['deliveries'], { event: hookEventName(hook.id) })}">All requests</a>`
  }</div>${
    last === undefined
      ? html`<p class="nothing muted">None that was taken is kept.</p>`
      : html`<ul class="rows"><li class="run-row"><span class="muted">${icon(frame, 'webhook')}</span><div class="whole"><p><a class="plain strong row-link" href="${frame.root}${pathTo(['deliveries', last.id])}">${last.outcome?.summary ?? 'Not processed yet'}</a></p><p class="small muted break">${last.id}</p></div><div class="row-end"><p class="small muted row-times">${ago(last.receivedAt, frame.now)}</p></div></li></ul>`
  }</section>`;
  const reasons = html`<section class="panel"><div class="panel-head">${icon(frame, 'shield')}<h2>Refused</h2><span class="muted small end">by this process, since ${exact(since)}</span></div>${
    refused.length === 0
      ? html`<p class="nothing muted">No request was.</p>`
      : html`<ul class="rows">${refused.map(
          ({ code, count, lastAt }: RefusedCount) =>
            html`<li class="run-row"><span class="tone is-failed">${icon(frame, 'no-entry')}</span><p><span class="strong">${count}</span> ${code.replaceAll('-', ' ')}</p><div class="row-end"><p class="small muted row-times">${ago(lastAt, frame.now)}</p></div></li>`,
        )}</ul>`
  }</section>`;
  return [newest, reasons];
}
