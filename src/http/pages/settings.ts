import type { Setting } from '../../config/summary.ts';
import type { BudgetUsage } from '../../github/budget.ts';
import type { Check } from '../../lib/check.ts';
import {
  readSettings,
  type CheckResult,
  type SettingsDeps,
  type SettingsView,
} from '../read/settings.ts';
import { environmentPath } from './components/commit.ts';
import { ago, durationText } from './components/time.ts';
import { html, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { get, hideFromOthers, post, type PageRoute } from './page.ts';

/** What is configured, and whether everything that Mainsheet needs is as it should be. For those who may see everything. */
export function settingsRoutes(deps: SettingsDeps): PageRoute[] {
  return [
    get('/settings', async ({ ctx, frame }, viewer) => {
      hideFromOthers(ctx, viewer);
      const view = await readSettings(deps);
      const body = html`<main id="main" class="page">
<div class="page-head"><div><h1>Settings</h1><p class="muted">What is configured. To change it, set the variables and start Mainsheet again.</p></div></div>
<div class="run-columns"><div>
${checks(frame, view.checked)}
${secrets(frame, view)}
${installations(frame, view)}
${variables(frame, view.variables)}
</div>
<aside class="run-side" aria-label="In effect">${facts(view)}${budget(view.budget)}${servers(view)}</aside></div>
</main>`;
      return { page: { title: 'Settings', section: 'Settings', body } };
    }),
    post('/settings/check', async ({ ctx, frame }, viewer) => {
      hideFromOthers(ctx, viewer);
      await deps.checkUp.look();
      return { redirect: `${frame.root}settings` };
    }),
  ];
}

function panel(frame: Frame, sign: string, title: string, end: Content, body: Content): Html {
  return html`<section class="panel"><div class="panel-head">${icon(frame, sign)}<h2>${title}</h2><span class="muted small end">${end}</span></div>${body}</section>`;
}

const SIGNS = {
  ok: ['succeeded', 'succeeded', 'as it should be'],
  warn: ['warning', 'alert', 'could be better'],
  fail: ['failed', 'failed', 'has to be mended'],
} as const;

function checks(frame: Frame, result: CheckResult | undefined): Html {
  const form = html`<form method="post" action="${frame.root}settings/check"><button class="button is-small">${icon(frame, 'pulse')}Check now</button></form>`;
  if (result === undefined) {
    return html`<section class="panel"><div class="panel-head">${icon(frame, 'pulse')}<h2>Checks</h2><div class="end">${form}</div></div><p class="nothing muted">What <code>mainsheet doctor</code> looks at: git, the disk, the store, the specs with their secrets, and what GitHub lets the App do. It takes some seconds, and changes nothing.</p></section>`;
  }
  const order: Check['state'][] = ['fail', 'warn', 'ok'];
  const sorted = order.flatMap((state) => result.checks.filter((check) => check.state === state));
  return html`<section class="panel"><div class="panel-head">${icon(frame, 'pulse')}<h2>Checks</h2><span class="muted small">${ago(result.at, frame.now)}</span><div class="end">${form}</div></div>
${result.isWhole ? '' : html`<p class="nothing tone is-warning">It took too long: these are the checks that had ended by then.</p>`}
<ul class="rows">${sorted.map(({ subject, state, detail, hint }) => {
    const [tone, sign, said] = SIGNS[state];
    return html`<li class="run-row"><span class="tone is-${tone}" title="${said}">${icon(frame, sign)}<span class="for-readers">${said}</span></span><div class="whole"><p><span class="strong">${subject}</span> ${detail}</p>${hint === undefined ? '' : html`<p class="small muted">${hint}</p>`}</div></li>`;
  })}</ul></section>`;
}

function secrets(frame: Frame, { secrets: all }: SettingsView): Html {
  const by = (name: string) =>
    name.startsWith('hook ')
      ? html`<span>${name}</span>`
      : html`<span><a href="${environmentPath(frame, name)}">${name}</a></span>`;
  const missing = all.filter(({ isSet }) => !isSet).length;
  return panel(
    frame,
    'key',
    'Secrets',
    missing === 0
      ? 'that specs and hooks name'
      : html`<span class="tone is-failed">${missing} not set</span>`,
    all.length === 0
      ? html`<p class="nothing muted">No spec and no hook names one.</p>`
      : html`<ul class="rows">${all.map(
          (one) =>
            html`<li class="run-row"><span class="tone is-${one.isSet ? 'succeeded' : 'failed'}">${icon(frame, one.isSet ? 'check' : 'x')}</span><div class="whole"><p class="mono">${one.name}</p><p class="meta">${one.by.map(by)}</p></div><p class="small muted">${one.isSet ? 'set' : 'not set'}</p></li>`,
        )}</ul>`,
  );
}

const STATES = {
  installed: ['succeeded', 'installed'],
  suspended: ['failed', 'suspended'],
  removed: ['failed', 'removed'],
  missing: ['failed', 'not installed'],
} as const;

function installations(frame: Frame, { installations: all }: SettingsView): Content {
  if (all.length === 0) return '';
  return panel(
    frame,
    'package',
    'Installations of the App',
    'as far as GitHub has told',
    html`<ul class="rows">${all.map(({ repository, state }) => {
      const [tone, said] =
        state === undefined ? (['none', 'not told yet'] as const) : STATES[state];
      return html`<li class="run-row"><span class="tone is-${tone}">${icon(frame, tone === 'none' ? 'pending' : tone)}</span><p class="whole">${repository}</p><p class="small muted">${said}</p></li>`;
    })}</ul>`,
  );
}

function variables(frame: Frame, all: readonly Setting[]): Html {
  const set = all.filter(({ isSet }) => isSet);
  const rest = all.filter(({ isSet }) => !isSet);
  return panel(frame, 'server', 'Variables', `${set.length} set`, [
    set.length === 0
      ? ''
      : html`<ul class="rows">${set.map(
          ({ name, isSecret, value }) =>
            html`<li class="variable"><code class="break">${name}</code>${isSecret ? html`<span class="muted small">set, and not shown</span>` : html`<code class="muted break">${value}</code>`}</li>`,
        )}</ul>`,
    html`<details class="not-set"><summary class="small muted">${icon(frame, 'chevron-right', 'is-small')} ${rest.length} not set: their defaults count</summary><p class="small mono muted break">${rest.map(({ name }) => name).join(', ')}</p></details>`,
  ]);
}

function side(title: string, body: Content): Html {
  return html`<section class="side-part"><h2>${title}</h2>${body}</section>`;
}

function facts({ facts: all }: SettingsView): Html {
  return side(
    'In effect',
    html`<dl class="facts">${all.map(({ name, value }) => html`<dt>${name}</dt><dd class="break">${value}</dd>`)}</dl>`,
  );
}

function budget(all: readonly BudgetUsage[]): Html {
  return side(
    'Budget at GitHub',
    all.length === 0
      ? html`<p class="muted">Nothing was sent yet.</p>`
      : html`<ul class="side-list">${all.map(
          ({ account, minute, hour, primaryRemaining, pausedMs }) =>
            html`<li class="budget"><p class="strong break">${account}</p><p class="small muted">${minute.used} of ${minute.limit} writes in this minute, ${hour.used} of ${hour.limit} in this hour${primaryRemaining === undefined ? '' : `, ${primaryRemaining} requests left`}</p>${pausedMs === 0 ? '' : html`<p class="small tone is-warning">Nothing is sent for ${durationText(pausedMs)}</p>`}</li>`,
        )}</ul>`,
  );
}

function servers({ servers: all }: SettingsView): Content {
  if (all.length === 0) return '';
  return side(
    'Git servers',
    html`<ul class="side-list">${all.map(
      ({ name, type, url, hasToken }) =>
        html`<li class="budget"><p class="strong break">${name}</p><p class="small muted break">${type}, ${url}, ${hasToken ? 'with a token' : 'without a token'}</p></li>`,
    )}</ul>`,
  );
}
