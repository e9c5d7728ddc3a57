import type { TriedRequest, Trial, TryHook } from '../../controller/hooks/try-out.ts';
import { describeError, MainsheetError } from '../../lib/errors.ts';
import type { Verdict } from '../../model/verdict.ts';
import { ROLLBACK } from '../../spec/match-hook.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { HookView } from '../read/hooks.ts';
import { environmentPath } from './components/commit.ts';
import { reasonList } from './components/reasons.ts';
import { inWords } from './components/starts.ts';
import { html, pathTo, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';

/** Bytes of a form with a request to be tried. */
export const MOST_TRIED = 1024 * 1024;

const CONTENT_TYPES = [
  'application/json',
  'application/x-www-form-urlencoded',
  'application/xml',
  'text/plain',
];

/** A request that was tried, and what would come of it, or why it would be refused. */
export interface Tried {
  request: TriedRequest;
  headers: string;
  trial: Trial | undefined;
  error: string | undefined;
}

/** Whether a secret is right is for those who may do everything anyway: others could guess as often as they like. */
export async function tryOut(
  tryHook: TryHook,
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

/** A form with a request; with what was tried before, as it was. */
export function tryBox(frame: Frame, view: HookView, tried: Tried | undefined): Html {
  const type = tried?.request.contentType ?? 'application/json';
  return html`<section class="panel"><div class="panel-head">${icon(frame, 'play')}<h2>Try a request</h2><span class="muted small end">nothing is stored or started</span></div>
<form class="try" method="post" action="${frame.root}${pathTo(['hooks', view.id])}/try">
<div><label class="label-text" for="body">Body</label><textarea class="field mono" id="body" name="body" rows="8" spellcheck="false">${tried?.request.body ?? '{}'}</textarea></div>
<div class="try-row"><div><label class="label-text" for="type">Content type</label><select class="field" id="type" name="type">${CONTENT_TYPES.map(
    (one) => html`<option${one === type ? html` selected` : ''}>${one}</option>`,
  )}</select></div>
<div><label class="label-text" for="query">Query</label><input class="field mono" id="query" name="query" value="${new URLSearchParams(tried?.request.query ?? {}).toString()}" placeholder="name=value" autocomplete="off" spellcheck="false"></div></div>
<div><label class="label-text" for="headers">Headers, one a line</label><textarea class="field mono" id="headers" name="headers" rows="2" spellcheck="false" autocomplete="off" placeholder="X-Signature: sha256=…">${tried?.headers ?? ''}</textarea></div>
<div class="buttons"><button class="button is-primary">${icon(frame, 'play')}Try</button></div>
</form></section>`;
}

/** What would come of a request that was tried. */
export function outcome(frame: Frame, { trial, error }: Tried): Html {
  if (trial === undefined) {
    return html`<div class="note is-failed spec-note" role="status">${icon(frame, 'alert')}<p class="grow break">It would be refused: ${error}</p></div>`;
  }
  const matched = trial.specs.filter(({ verdict }) => verdict.matched);
  const fields = Object.entries(trial.inputs);
  return html`<section class="panel spec-note" aria-label="What would happen"><div class="panel-head" role="status"><span class="tone is-${matched.length === 0 ? 'none' : 'held'}">${icon(frame, matched.length === 0 ? 'cancelled' : 'succeeded')}</span><h2>${
    matched.length === 0
      ? 'It would start nothing'
      : `It would ${inWords(
          matched.map(({ spec }) => spec),
          (name) => isRollback(matched.find(({ spec }) => spec === name)?.verdict),
          ['start', 'roll back'],
        ).join(' and ')}`
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
      html`<li class="verdict"><div class="verdict-head"><span class="tone is-${verdict.matched ? 'held' : 'none'}">${icon(frame, verdict.matched ? 'succeeded' : 'cancelled')}</span><a class="plain strong" href="${environmentPath(frame, spec)}">${spec}</a><span class="muted">would ${verdict.matched ? '' : 'not '}${isRollback(verdict) ? 'be rolled back' : 'start'}</span></div>${reasonList(frame, verdict.reasons)}</li>`,
  )}</ul></section>`;
}

function isRollback(verdict: Verdict | undefined): boolean {
  return verdict?.reasons.some(({ condition }) => condition === ROLLBACK) === true;
}
