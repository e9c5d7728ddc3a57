import { html, pathTo, type Content, type Html } from '../html.ts';
import { icon, type Frame } from '../layout.ts';
import { empty } from './empty.ts';
import { stateName } from './state.ts';

type Query = Readonly<Record<string, string | undefined>>;

/** What a list is filtered by, in its address; with a script the list follows as one writes. */
export function filterForm(
  frame: Frame,
  path: string,
  fields: Content,
  { find, value }: { find?: string; value?: string | undefined } = {},
): Html {
  const to = frame.root + path;
  return html`<form class="filters" method="get" action="${to}" role="search" hx-get="${to}" hx-trigger="input changed delay:250ms, submit" hx-target="#list" hx-select="#list" hx-swap="outerMorph" hx-replace-url="true">
${
  find === undefined
    ? ''
    : html`<div class="grow">${icon(frame, 'search')}<input class="field" type="search" name="q" value="${value}" placeholder="${find}" aria-label="${find}" autocomplete="off"></div>`
}
${fields}
<noscript><button class="button">Show</button></noscript>
</form>`;
}

/** A choice of a list's filter. */
export function select(
  name: string,
  all: string,
  values: readonly string[],
  chosen: string | undefined,
  /** What a value is called, for people. */
  nameOf: (value: string) => string = name === 'state'
    ? (value) => stateName(value as 'queued')
    : (value) => value,
): Html {
  return html`<select class="field" name="${name}" aria-label="${all.replace('All ', '')}">
<option value="">${all}</option>
${values.map(
  (value) =>
    html`<option value="${value}"${value === chosen ? html` selected` : ''}>${nameOf(value)}</option>`,
)}
</select>`;
}

/** A list that can be filtered, and is live. */
export function liveList(frame: Frame, path: string, query: Query, content: Content): Html {
  return html`<div id="list" data-live hx-get="${frame.root}${pathTo([path], query)}" hx-trigger="refresh" hx-select="#list" hx-swap="outerMorph">${content}</div>`;
}

/** Instead of a page that is empty, while older ones may not be: so many rows are looked at for one. */
export function noneAmongThese(frame: Frame): Html {
  return empty(frame, {
    sign: 'search',
    title: 'None among the newest',
    text: 'Many others came since. “Older” looks at those that came before.',
  });
}

/** The way to what is older. */
export function older(frame: Frame, path: string, query: Query, next: string | undefined): Content {
  if (next === undefined) return '';
  return html`<p class="pager"><a class="button" href="${frame.root}${pathTo([path], { ...query, cursor: next })}">Older</a></p>`;
}
