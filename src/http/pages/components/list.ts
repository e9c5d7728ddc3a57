import { decodeCursor, type PageRequest } from '../../../store/page.ts';
import { html, pathTo, type Content, type Html } from '../html.ts';
import type { Frame, PageContent } from '../layout.ts';
import { asked, type PageAnswer } from '../page.ts';
import { empty } from './empty.ts';
import { stateName } from './state.ts';

type Query = Readonly<Record<string, string | undefined>>;

/** Where in a list a page is. */
export interface Place {
  /** As the address has it; undefined: at the newest. */
  cursor: string | undefined;
  request: PageRequest;
}

/** Where an address leads in a list of which a page has so many. Throws as `decodeCursor`. */
export function placeIn(query: URLSearchParams, limit: number): Place {
  const cursor = asked(query, 'cursor', 100);
  return {
    cursor,
    request: { limit, before: cursor === undefined ? undefined : decodeCursor(cursor) },
  };
}

/** A page that is a list, which can be filtered and is live while it shows the newest. */
export function listPage(
  frame: Frame,
  {
    name,
    about,
    buttons = '',
    fields,
    filter,
    place: { cursor },
    next,
    rows,
    none,
    stream = 'live',
  }: {
    /** Of the section; its path is the same in small letters. */
    name: NonNullable<PageContent['section']>;
    about?: string;
    buttons?: Content;
    /** What it is filtered by, and with what. */
    fields: Content;
    filter: Query;
    place: Place;
    /** Cursor of what is older. */
    next: string | undefined;
    /** Undefined: there are none. */
    rows: Content;
    /** Said then, where nothing is older. */
    none: Html;
    stream?: string;
  },
): PageAnswer {
  const path = name.toLowerCase();
  const list = rows ?? (next === undefined ? none : noneAmongThese(frame));
  const body = html`<main id="main" class="page"${cursor === undefined ? html` data-stream="${frame.root}${stream}"` : ''}>
<div class="page-head"><div><h1>${name}</h1>${about === undefined ? '' : html`<p class="muted">${about}</p>`}</div>${buttons}</div>
${filterForm(frame, path, fields)}
<div id="list" data-live hx-get="${frame.root}${pathTo([path], { ...filter, cursor })}" hx-trigger="refresh" hx-select="#list" hx-swap="outerMorph"><div class="panel">${list}</div>${older(frame, [path], filter, next)}</div>
</main>`;
  return { page: { title: name, section: name, body } };
}

/** Rows that a page has alone; undefined where there are none. */
export function rowsOf<Item>(items: readonly Item[], row: (item: Item) => Html): Html | undefined {
  return items.length === 0
    ? undefined
    : html`<ul class="rows is-alone">${items.map((item) => row(item))}</ul>`;
}

/** What a list is filtered by, in its address; with a script the list follows as one writes. */
export function filterForm(frame: Frame, path: string, fields: Content): Html {
  const to = frame.root + path;
  return html`<form class="filters" method="get" action="${to}" role="search" hx-get="${to}" hx-trigger="input changed delay:250ms, submit" hx-target="#list" hx-select="#list" hx-swap="outerMorph" hx-replace-url="true">
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

/** Instead of a page that is empty, while older ones may not be: so many rows are looked at for one. */
function noneAmongThese(frame: Frame): Html {
  return empty(frame, {
    sign: 'search',
    title: 'None among the newest',
    text: 'Many others came since. “Older” looks at those that came before.',
  });
}

/** The way to what is older. */
export function older(
  frame: Frame,
  path: readonly string[],
  query: Query,
  next: string | undefined,
): Content {
  if (next === undefined) return '';
  return html`<p class="pager"><a class="button" href="${frame.root}${pathTo(path, { ...query, cursor: next })}">Older</a></p>`;
}
