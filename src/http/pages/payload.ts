import { isDeeperThan } from '../../lib/json.ts';
import { html, type Content } from './html.ts';
import { icon, type Frame } from './layout.ts';

/** More of a payload is not easier to read; the API has all of it. */
const MOST_SHOWN = 200_000;
const MOST_LEVELS = 100;

/** The headers that are kept of a request: JSON, an object of texts. */
export function headersView(frame: Frame, headers: string | undefined): Content {
  const all = Object.entries(JSON.parse(headers ?? '{}') as Record<string, string>);
  const head = html`<div class="panel-head">${icon(frame, 'webhook')}<h2>Headers</h2></div>`;
  if (all.length === 0) {
    return html`<section class="panel">${head}<p class="payload muted">Not kept.</p></section>`;
  }
  return html`<section class="panel">${head}<ul class="payload mono">${all.map(([name, value]) => html`<li class="break"><span class="muted">${name}:</span> ${value}</li>`)}</ul></section>`;
}

/** A payload as GitHub sent it, laid out for people. */
export function payloadView(frame: Frame, payload: string): Content {
  const head = html`<div class="panel-head">${icon(frame, 'file-code')}<h2>Payload</h2></div>`;
  if (payload === '') {
    return html`<section class="panel">${head}<p class="payload muted">It is no longer kept.</p></section>`;
  }
  const text = laidOut(payload);
  const files = changedFiles(payload);
  return html`${
    files.length === 0
      ? ''
      : html`<section class="panel"><div class="panel-head">${icon(frame, 'file-code')}<h2>Changed files</h2><span class="count">${files.length}</span></div><ul class="payload mono">${files.map((file) => html`<li class="break">${file}</li>`)}</ul></section>`
  }<section class="panel">${head}<pre class="payload" tabindex="0">${text.slice(0, MOST_SHOWN)}${text.length > MOST_SHOWN ? '\n…' : ''}</pre></section>`;
}

function laidOut(payload: string): string {
  if (payload.length > MOST_SHOWN) return payload;
  try {
    const value: unknown = JSON.parse(payload);
    // Laid out, each line has the room of its level before it.
    return isDeeperThan(MOST_LEVELS, value) ? payload : JSON.stringify(value, undefined, 2);
  } catch {
    // It is not whole.
    return payload;
  }
}

/** What the commits of a push name, each file once. */
function changedFiles(payload: string): string[] {
  if (payload.length > 4 * MOST_SHOWN) return [];
  try {
    const { commits } = JSON.parse(payload) as { commits?: unknown };
    if (!Array.isArray(commits)) return [];
    const names = (commits as Record<string, unknown>[]).flatMap((commit) =>
      ['added', 'modified', 'removed'].flatMap((kind) => {
        const list = commit[kind];
        return Array.isArray(list) ? list.filter((name) => typeof name === 'string') : [];
      }),
    );
    return [...new Set(names)].sort().slice(0, 500);
  } catch {
    return [];
  }
}
