import type { TriedRequest, Trial, TryHook } from '../../controller/hooks/try-out.ts';
import { describeError, MainsheetError } from '../../lib/errors.ts';
import { formatDuration } from '../../lib/duration.ts';
import { hookEventName, type Extract, type Hook } from '../../model/hook.ts';
import { decodeCursor } from '../../store/page.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { RefusedCount } from '../hook-refusals.ts';
import {
  readHook,
  readHooks,
  readMadeHooks,
  type HookView,
  type HookViewDeps,
  type SecretView,
} from '../read/hooks.ts';
import { environmentPath } from './components/commit.ts';
import { empty } from './components/empty.ts';
import { older } from './components/list.ts';
import { reasonList } from './components/reasons.ts';
import { ago, exact, until } from './components/time.ts';
import { readForm } from './form.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { asked, found, type PageRoute } from './page.ts';

export interface HookPagesDeps extends HookViewDeps {
  tryHook: TryHook;
  /** Without a slash at the end; undefined: only the path is known. */
  publicUrl: string | undefined;
}

/** Bytes of a form with a request to be tried. */
const MOST_TRIED = 1024 * 1024;

const CONTENT_TYPES = [
  'application/json',
  'application/x-www-form-urlencoded',
  'application/xml',
  'text/plain',
];

/** A request that was tried, and what would come of it, or why it would be refused. */
interface Tried {
  request: TriedRequest;
  headers: string;
  trial: Trial | undefined;
  error: string | undefined;
}

/** Where senders can start runs: hooks in files, and those that were made through the API. */
export function hookPageRoutes(deps: HookPagesDeps): PageRoute[] {
  return [
    {
      method: 'get',
      path: '/hooks',
      async serve({ frame, query }, viewer) {
        const owner = asked(query, 'owner');
        const cursor = asked(query, 'cursor', 100);
        const before = cursor === undefined ? undefined : decodeCursor(cursor);
        const configured = await readHooks(deps, viewer);
        const made = await readMadeHooks(deps, viewer, { limit: 50, before }, owner);
        const body = html`<main id="main" class="page">
<div class="page-head"><div><h1>Hooks</h1><p class="muted">Where senders beside GitHub can start runs.</p></div></div>
${inFiles(frame, configured)}
${made === undefined ? '' : throughApi(frame, made.items)}
${made === undefined ? '' : older(frame, 'hooks', { owner }, made.next)}
</main>`;
        return { page: { title: 'Hooks', section: 'Hooks', body } };
      },
    },
    {
      method: 'get',
      path: '/hooks/:id',
      async serve({ frame, params }, viewer) {
        const view = found(
          await readHook(deps, viewer, params['id'] ?? ''),
          'hook',
          params['id'] ?? '',
        );
        return hookPage(frame, viewer, view, deps, undefined);
      },
    },
    {
      method: 'post',
      path: '/hooks/:id/try',
      async serve({ ctx, frame, params }, viewer) {
        const view = found(
          await readHook(deps, viewer, params['id'] ?? ''),
          'hook',
          params['id'] ?? '',
        );
        const form = await readForm(ctx, MOST_TRIED);
        const tried = await tryOut(deps, viewer, view, form);
        return hookPage(frame, viewer, view, deps, tried);
      },
    },
  ];
}

/** Whether a secret is right is for those who may do everything anyway: others could guess as often as they like. */
async function tryOut(
  { tryHook }: HookPagesDeps,
  viewer: Viewer,
  view: HookView,
  form: URLSearchParams,
): Promise<Tried> {
  const headers = form.get('headers') ?? '';
  const request: TriedRequest = {
    body: form.get('body') ?? '',
    contentType: CONTENT_TYPES.find((one) => one === form.get('type')) ?? 'application/json',
    headers: headersIn(headers),
    query: Object.fromEntries(new URLSearchParams(form.get('query') ?? '')),
  };
  try {
    const trial = await tryHook(view.id, request);
    const specs = trial.specs.filter(({ spec }) => view.specs.includes(spec));
    const refused = viewer.visible === undefined ? trial.refused : undefined;
    return { request, headers, trial: { ...trial, refused, specs }, error: undefined };
  } catch (error) {
    if (!(error instanceof MainsheetError)) throw error;
    return { request, headers, trial: undefined, error: describeError(error) };
  }
}

/** `name: value` in each line. */
function headersIn(text: string): Record<string, string> {
  const pairs = text
    .split(/\r?\n/)
    .slice(0, 100)
    .map((line) => /^([\w-]+):\s*(.*)$/.exec(line.trim()));
  return Object.fromEntries(pairs.flatMap((pair) => (pair === null ? [] : [[pair[1], pair[2]]])));
}

function inFiles(frame: Frame, hooks: readonly HookView[]): Html {
  if (hooks.length === 0) {
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

function starts({ specs, hook }: HookView): Html {
  if (hook?.server !== undefined) return html`<span>pushes of ${hook.server}</span>`;
  return html`<span>${specs.length === 0 ? 'starts no spec' : `starts ${specs.join(', ')}`}</span>`;
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
<aside class="run-side" aria-label="About this hook">${about(frame, view, publicUrl)}${secrets(frame, view.secrets)}${hook === undefined ? '' : inputs(hook, view)}</aside></div>
</main>`;
  return { page: { title, section: 'Hooks' as const, body } };
}

function tryBox(frame: Frame, view: HookView, tried: Tried | undefined): Html {
  const type = tried?.request.contentType ?? 'application/json';
  return html`<section class="panel"><div class="panel-head">${icon(frame, 'play')}<h2>Try a request</h2><span class="muted small end">nothing is stored or started</span></div>
<form class="try" method="post" action="${hookPath(frame, view)}/try">
<div><label class="label-text" for="body">Body</label><textarea class="field mono" id="body" name="body" rows="8" spellcheck="false">${tried?.request.body ?? '{}'}</textarea></div>
<div class="try-row"><div><label class="label-text" for="type">Content type</label><select class="field" id="type" name="type">${CONTENT_TYPES.map(
    (one) => html`<option${one === type ? html` selected` : ''}>${one}</option>`,
  )}</select></div>
<div><label class="label-text" for="query">Query</label><input class="field mono" id="query" name="query" value="${new URLSearchParams(tried?.request.query ?? {}).toString()}" placeholder="name=value" autocomplete="off" spellcheck="false"></div></div>
<div><label class="label-text" for="headers">Headers, one a line</label><textarea class="field mono" id="headers" name="headers" rows="2" spellcheck="false" autocomplete="off" placeholder="X-Signature: sha256=…">${tried?.headers ?? ''}</textarea></div>
<div class="buttons"><button class="button is-primary">${icon(frame, 'play')}Try</button></div>
</form></section>`;
}

function outcome(frame: Frame, { trial, error }: Tried): Html {
  if (trial === undefined) {
    return html`<div class="note is-failed spec-note" role="status">${icon(frame, 'alert')}<p class="grow break">It would be refused: ${error}</p></div>`;
  }
  const matched = trial.specs.filter(({ verdict }) => verdict.matched);
  const fields = Object.entries(trial.inputs);
  return html`<section class="panel spec-note" aria-label="What would happen"><div class="panel-head" role="status"><span class="tone is-${matched.length === 0 ? 'none' : 'held'}">${icon(frame, matched.length === 0 ? 'cancelled' : 'succeeded')}</span><h2>${
    matched.length === 0
      ? 'It would start nothing'
      : `It would start ${matched.map(({ spec }) => spec).join(', ')}`
  }</h2></div>
${
  trial.refused === undefined
    ? ''
    : html`<p class="nothing"><span class="tone is-warning">${icon(frame, 'alert')}</span> As it is it would be refused: ${trial.refused}</p>`
}
${
  fields.length === 0
    ? ''
    : html`<dl class="facts nothing">${fields.map(
        ([name, value]) =>
          html`<dt class="mono">${name}</dt><dd class="mono break">${JSON.stringify(value)}</dd>`,
      )}</dl>`
}
<ul class="rows">${trial.specs.map(
    ({ spec, verdict }) =>
      html`<li class="verdict"><div class="verdict-head"><span class="tone is-${verdict.matched ? 'held' : 'none'}">${icon(frame, verdict.matched ? 'succeeded' : 'cancelled')}</span><a class="plain strong" href="${environmentPath(frame, spec)}">${spec}</a><span class="muted">${verdict.matched ? 'would start' : 'would not start'}</span></div>${reasonList(frame, verdict.reasons)}</li>`,
  )}</ul></section>`;
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
            html`<li class="run-row"><span class="tone is-failed">${icon(frame, 'no-entry')}</span><p><span class="strong">${count}</span> <code>${code}</code></p><div class="row-end"><p class="small muted row-times">${ago(lastAt, frame.now)}</p></div></li>`,
        )}</ul>`
  }</section>`;
  return [newest, reasons];
}

function about(
  frame: Frame,
  { id, hook, dynamic, specs }: HookView,
  publicUrl: string | undefined,
): Html {
  const fact = (name: string, value: Content) =>
    html`<dt>${name}</dt><dd class="break">${value}</dd>`;
  const facts: Content[] = [
    fact('Address', html`<code>${publicUrl ?? ''}/webhooks/v1/hooks/${id}</code>`),
  ];
  if (dynamic !== undefined) {
    facts.push(
      fact('Owner', dynamic.owner),
      fact('Made', html`${ago(dynamic.createdAt, frame.now)} by ${dynamic.createdBy}`),
      fact('Expires', exact(dynamic.expiresAt)),
      fact(
        'Of',
        html`<a href="${frame.root}${pathTo(['hooks', dynamic.hook])}">${dynamic.hook}</a>`,
      ),
    );
  }
  facts.push(
    fact(
      'Starts',
      hook?.server !== undefined
        ? `what specs of ${hook.server} say`
        : specs.length === 0
          ? html`<span class="muted">no spec</span>`
          : specs.map((name) => html`<p><a href="${environmentPath(frame, name)}">${name}</a></p>`),
    ),
  );
  if (hook !== undefined) {
    facts.push(
      fact('Takes', `${hook.methods.join(', ')} of ${hook.contentTypes.join(', ')}`),
      hook.addresses.length === 0 ? '' : fact('From', hook.addresses.join(', ')),
      hook.clientCertificate === undefined ? '' : fact('Certificate', 'of the client, checked'),
      hook.rate === undefined
        ? ''
        : fact('At most', `${hook.rate.count} in ${formatDuration(hook.rate.perMs)}`),
      hook.if === undefined ? '' : fact('If', html`<code>${hook.if}</code>`),
      hook.dedupe === undefined ? '' : fact('Once by', html`<code>${hook.dedupe}</code>`),
      hook.waitMs === 0 ? '' : fact('Waits', `${formatDuration(hook.waitMs)} for the result`),
    );
  }
  return html`<section class="side-part"><h2>About</h2><dl class="facts">${facts}</dl></section>`;
}

function secrets(frame: Frame, all: readonly SecretView[]): Html {
  const when = ({ from, until: end, isSet }: SecretView): Content => {
    if (isSet === false) return html`<span class="tone is-failed">not set</span>`;
    if (end !== undefined && end <= frame.now) return 'counts no more';
    if (end !== undefined) return html`counts until ${exact(end)}`;
    if (from !== undefined && from > frame.now) return html`counts from ${exact(from)}`;
    return isSet === undefined ? html`made ${ago(from ?? 0, frame.now)}` : 'set';
  };
  return html`<section class="side-part"><h2>Secrets</h2>${
    all.length === 0
      ? html`<p class="muted">None: only hooks that were made of it through the API take requests.</p>`
      : html`<ul class="side-list">${all.map(
          (one) =>
            html`<li>${icon(frame, 'key')}<div><p class="mono break">${one.name}</p><p class="small muted break">${when(one)}</p></div></li>`,
        )}</ul>`
  }</section>`;
}

function inputs({ extract }: Hook, { dynamic }: HookView): Content {
  const all = Object.entries(extract);
  if (all.length === 0) return '';
  const fixed = dynamic?.inputs ?? {};
  return html`<section class="side-part"><h2>Inputs</h2><dl class="facts">${all.map(
    ([name, one]) =>
      html`<dt class="mono break">${name}</dt><dd class="break">${
        Object.hasOwn(fixed, name)
          ? html`<span class="muted">always</span> <code>${JSON.stringify(fixed[name])}</code>`
          : html`<code>${sourceOf(one)}</code> <span class="muted">${one.type}${one.required ? ', required' : ''}</span>`
      }</dd>`,
  )}</dl></section>`;
}

function sourceOf({ from }: Extract): string {
  switch (from.kind) {
    case 'json':
      return from.path;
    case 'expression':
      return from.expression;
    default:
      return `${from.kind} ${from.name}`;
  }
}
