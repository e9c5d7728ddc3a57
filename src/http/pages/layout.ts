import type { AssetName, Assets } from './assets.ts';
import { html, type Content, type Html } from './html.ts';

/** What a page needs to be written: where it is, who looks at it, and when. */
export interface Frame {
  /** Leads from the page to the top of the dashboard: `./`, `../`, `../../`. A proxy may have put a path before it. */
  root: string;
  assets: Assets;
  /** Undefined: not logged in. */
  actor: string | undefined;
  /** Whether the one who looks may see every repository. */
  seesAll: boolean;
  theme: Theme;
  /** Milliseconds since the epoch. */
  now: number;
  version: string;
}

export type Theme = 'auto' | 'light' | 'dark';

interface Section {
  name: string;
  path: string;
  /** In the menu at the end: the bar is short on a narrow screen, too. */
  isMore?: true;
  /** Only for those who may see every repository. */
  isForAll?: true;
}

/** The pages that can be reached from everywhere. */
const SECTIONS = [
  { name: 'Overview', path: '' },
  { name: 'Runs', path: 'runs' },
  { name: 'Deliveries', path: 'deliveries' },
  { name: 'Specs', path: 'specs' },
  { name: 'Why?', path: 'why' },
  { name: 'Insights', path: 'insights', isMore: true },
  { name: 'Automation', path: 'automation', isMore: true },
  { name: 'Hooks', path: 'hooks', isMore: true },
  { name: 'Callbacks', path: 'callbacks', isMore: true },
  { name: 'Activity', path: 'activity', isMore: true },
  { name: 'Settings', path: 'settings', isMore: true, isForAll: true },
] as const satisfies Section[];

export interface PageContent {
  title: string;
  /** The section that it belongs to. */
  section?: (typeof SECTIONS)[number]['name'];
  body: Content;
  /** Scripts beside those of every page. */
  scripts?: readonly AssetName[];
}

/** A whole document. */
export function layout(frame: Frame, page: PageContent): Html {
  const { root, assets } = frame;
  const to = (name: AssetName) => root + assets.path(name);
  const scripts: AssetName[] = ['htmx.js', 'app.js', ...(page.scripts ?? [])];
  return html`<!doctype html>
<html lang="en" data-theme="${frame.theme}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta name="htmx-config" content='{"includeIndicatorCSS":false,"history":"reload","morphIgnore":["data-htmx-powered","open"],"noSwap":[204,304,"4xx","5xx"]}'>
<title>${page.title} · Mainsheet</title>
<link rel="icon" href="${to('favicon.svg')}" type="image/svg+xml">
<link rel="stylesheet" href="${to('app.css')}">
${scripts.map((name) => html`<script src="${to(name)}" defer></script>`)}
</head>
<body data-root="${root}" data-icons="${to('icons.svg')}">
<a class="skip-link" href="#main">Skip to content</a>
${frame.actor === undefined ? '' : topBar(frame, page.section)}
${page.body}
${frame.actor === undefined ? '' : bottom(frame)}
<dialog id="dialog" aria-labelledby="ask-title"></dialog>
<p class="for-readers" id="announce" role="status"></p>
</body>
</html>`;
}

function topBar(frame: Frame, section: PageContent['section']): Html {
  const { root } = frame;
  const sections: readonly Section[] = SECTIONS;
  const bar = sections.filter(({ isMore }) => isMore === undefined);
  const more = sections.filter(
    ({ isMore, isForAll }) => isMore && (isForAll === undefined || frame.seesAll),
  );
  const links = (some: readonly Section[]) =>
    some.map(
      ({ name, path }) =>
        html`<a href="${root}${path}"${name === section ? html` aria-current="page"` : ''}>${name}</a>`,
    );
  return html`<header class="top"><div class="top-in">
<a class="brand" href="${root}">${icon(frame, 'logo')}<span>Mainsheet</span></a>
<nav class="nav" aria-label="Pages"><div class="nav-links">
${links(bar)}
</div><details class="menu nav-more"><summary${more.some(({ name }) => name === section) ? html` class="is-current"` : ''}>${icon(frame, 'menu')}<span>More</span></summary>
<div class="menu-list">${links(more)}</div></details></nav>
<div class="top-end">
<form method="post" action="${root}theme" data-theme-form>
<button class="button is-quiet is-square" title="Colours: ${frame.theme}">${icon(
    frame,
    { auto: 'desktop', light: 'sun', dark: 'moon' }[frame.theme],
  )}<span class="for-readers">Change colours, now ${frame.theme}</span></button>
</form>
<details class="menu">
<summary class="button is-quiet is-square">${icon(frame, 'person')}<span class="for-readers">Account</span></summary>
<div class="menu-list">
<p class="small muted">Logged in as <span class="strong">${frame.actor}</span></p>
<form method="post" action="${root}logout"><button class="button is-quiet">${icon(frame, 'sign-out')}Log out</button></form>
<form method="post" action="${root}logout?everywhere=1"><button class="button is-quiet">${icon(frame, 'shield')}Log out everywhere</button></form>
</div>
</details>
</div>
</div></header>`;
}

function bottom({ root, version }: Frame): Html {
  return html`<footer class="bottom"><span>Mainsheet ${version}</span><a href="${root}api/v1/openapi.json">API</a><span id="live" class="for-readers"></span></footer>`;
}

/** A picture from the sprite. It says nothing to those who listen: words stand beside it. */
export function icon(
  { root, assets }: Pick<Frame, 'root' | 'assets'>,
  name: string,
  more = '',
): Html {
  return html`<svg class="icon ${more}" aria-hidden="true"><use href="${root}${assets.path('icons.svg')}#${name}"></use></svg>`;
}
