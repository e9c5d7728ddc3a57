import {
  shareOf,
  type BacktestResult,
  type Difference,
  type Looked,
} from '../../controller/operator/backtest.ts';
import type { StepLimits } from '../../lib/step-limits.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import type { Reason } from '../../model/verdict.ts';
import { withExcerpts } from '../../spec/excerpt.ts';
import { parseSpecs } from '../../spec/load.ts';
import type { SpecProblem } from '../../spec/problem.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { Guard } from '../guard.ts';
import { hungUp } from '../hung-up.ts';
import type { RunBacktest } from '../read/backtest-turn.ts';
import { environmentPath, runPath, shortSha } from './components/commit.ts';
import { empty } from './components/empty.ts';
import { eventName } from './components/event-name.ts';
import { problemPanel } from './components/problems.ts';
import { textOf } from './components/spec-text.ts';
import { reasonList } from './components/reasons.ts';
import { ago } from './components/time.ts';
import { readForm } from './form.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { costly, get, post, type PageRoute } from './page.ts';

/** Bytes of the form. */
const MOST = 1024 * 1024;
const RANGES = [100, 1000, 10_000, 100_000];
const USUAL = 1000;
/** Differences that are shown; the API lists more. */
const SHOWN = 100;

export interface BacktestPageDeps {
  guard: Pick<Guard, 'spec'>;
  runBacktest: RunBacktest;
  stepLimits: StepLimits;
}

/** What came of it, or what is wrong with the text. */
type Outcome = { result: BacktestResult } | { problems: readonly SpecProblem[] };

/** What a changed spec would have made of the deliveries that are kept. */
export function backtestRoutes(deps: BacktestPageDeps): PageRoute[] {
  const { guard, runBacktest, stepLimits } = deps;
  /** How far those are that are under way, by who asked. */
  const underWay = new Map<string, Looked>();

  async function judge(
    { file, spec }: LoadedSpec,
    text: string,
    newest: number,
    viewer: Viewer,
    gone: AbortSignal,
  ): Promise<Outcome> {
    const { specs, problems } = parseSpecs(file, text, stepLimits);
    if (problems.length > 0) return { problems: withExcerpts(problems, new Map([[file, text]])) };
    const [only, ...others] = specs;
    const at = { file, line: 1, column: 1 };
    if (only === undefined || others.length > 0 || only.spec.name !== spec.name) {
      return { problems: [{ ...at, message: `it has to be one spec, and its name ${spec.name}` }] };
    }
    // A text must not be a way to what may not be seen.
    if (!viewer.canSee(only.spec.repository)) {
      const message = `there is no repository ${only.spec.repository} that you may see`;
      return { problems: [{ ...at, message }] };
    }
    const progress = (looked: Looked) => underWay.set(viewer.actor, looked);
    const more = { only: new Set([spec.name]), newest, visible: viewer.visible, progress };
    try {
      return { result: await runBacktest([only], 0, more, gone) };
    } finally {
      underWay.delete(viewer.actor);
    }
  }

  return [
    get('/specs/:name/backtest', async ({ frame, id: name }, viewer) => {
      const loaded = guard.spec(viewer, name);
      return backtestPage(frame, loaded, textOf(loaded), USUAL, undefined);
    }),
    get('/specs/:name/backtest/progress', async ({ frame, id: name }, viewer) => {
      guard.spec(viewer, name);
      return { piece: html`${progressText(underWay.get(viewer.actor), frame.now)}` };
    }),
    costly(
      'always',
      post('/specs/:name/backtest', async ({ ctx, frame, id: name }, viewer) => {
        const loaded = guard.spec(viewer, name);
        const form = await readForm(ctx, MOST);
        const text = (form.get('text') ?? '').replaceAll('\r\n', '\n');
        const newest = RANGES.find((one) => String(one) === form.get('newest')) ?? USUAL;
        const outcome = await judge(loaded, text, newest, viewer, hungUp(ctx));
        return backtestPage(frame, loaded, text, newest, outcome);
      }),
    ),
  ];
}

/** Nothing where none is under way. */
function progressText(looked: Looked | undefined, now: number): string {
  if (looked === undefined) return '';
  const share = Math.floor(shareOf(looked, now) * 100);
  return `${many(looked.deliveries, 'delivery', 'deliveries')} so far, ${share} %`;
}

function backtestPage(
  frame: Frame,
  { spec: { name }, file }: LoadedSpec,
  text: string,
  newest: number,
  outcome: Outcome | undefined,
) {
  const here = frame.root + pathTo(['specs', name, 'backtest']);
  const body = html`<main id="main" class="page">
<ol class="crumbs"><li><a href="${frame.root}specs">Specs</a></li><li><a class="break" href="${environmentPath(frame, name)}">${name}</a></li><li>Backtest</li></ol>
<div class="page-head"><div><h1 class="break">What would ${name} have deployed?</h1><p class="muted">The spec as it is written here, judged with the deliveries that are kept. Nothing is stored and nothing runs; git is not asked. It takes at most a minute.</p></div></div>
${outcome === undefined ? '' : 'problems' in outcome ? problemList(frame, outcome.problems) : resultOf(frame, outcome.result)}
<section class="panel"><div class="panel-head">${icon(frame, 'file-code')}<h2>${file}</h2></div>
<form class="try" method="post" action="${here}" data-progress="${here}/progress">
<div><label class="label-text" for="text">The spec</label><textarea class="field mono" id="text" name="text" rows="16" spellcheck="false" autocomplete="off">${text}</textarea></div>
<div class="buttons"><label class="for-readers" for="newest">Deliveries</label><select class="field is-short" id="newest" name="newest">${RANGES.map(
    (one) =>
      html`<option value="${one}"${one === newest ? html` selected` : ''}>The newest ${one.toLocaleString('en')} deliveries</option>`,
  )}</select><button class="button is-primary">${icon(frame, 'play')}Compare</button><p class="small muted form-progress" role="status"></p></div>
</form></section>
</main>`;
  return { page: { title: `Backtest of ${name}`, section: 'Specs' as const, body } };
}

function problemList(frame: Frame, problems: readonly SpecProblem[]): Html {
  const shown = problems.slice(0, SHOWN);
  const list = problemPanel(
    frame,
    'The spec is not valid',
    shown,
    ({ line, column }) => `${line}:${column}`,
  );
  return html`<div role="alert">${list}</div>`;
}

function resultOf(frame: Frame, result: BacktestResult): Content {
  const { deliveries, deployed, wouldDeploy, total, differences } = result;
  const counts = html`<p class="panel-body" role="status">${many(deliveries, 'delivery', 'deliveries')} looked at: ${many(deployed, 'was', 'were')} deployed, ${wouldDeploy} would be.</p>`;
  if (total === 0) {
    return html`<section class="panel spec-note" aria-label="Differences">${empty(frame, {
      sign: 'succeeded',
      title: 'No difference',
      text: html`The spec would have decided as it was decided. ${many(deliveries, 'delivery was', 'deliveries were')} looked at, ${deployed} of them deployed.`,
    })}</section>`;
  }
  return html`<section class="panel spec-note" aria-label="Differences"><div class="panel-head">${icon(frame, 'compare')}<h2>${many(total, 'difference', 'differences')}</h2></div>${counts}
<ul class="rows differences">${differences.slice(0, SHOWN).map((one) => differenceRow(frame, one))}</ul>${
    total > SHOWN ? html`<p class="panel-body small muted">The newest ${SHOWN} are shown.</p>` : ''
  }</section>`;
}

function differenceRow(frame: Frame, one: Difference): Html {
  const { delivery, event, receivedAt, ref, sha, would, run, reasons, certain } = one;
  const name = ref?.replace(/^refs\/(?:heads|tags)\//, '');
  return html`<li class="verdict"><div class="verdict-head wraps"><span class="tone is-${would ? 'held' : 'unheld'}">${icon(frame, would ? 'succeeded' : 'no-entry')}</span><a class="plain strong" href="${frame.root}${pathTo(['deliveries', delivery])}">${eventName(event)}</a>${name === undefined ? '' : html`<span class="muted break">${name}</span>`}${sha === undefined ? '' : shortSha(sha)}<span class="badge is-${would ? 'succeeded' : 'failed'}">${would ? 'Would deploy, and did not' : 'Would not deploy, and did'}</span><span class="small muted end">${run === undefined ? '' : html`<a href="${runPath(frame, run)}">run</a> · `}${ago(receivedAt, frame.now)}</span></div>${why(frame, would, reasons)}${
    certain
      ? ''
      : html`<p class="verdict-text small muted">Only git knows all changed files: “paths” may come out otherwise.</p>`
  }</li>`;
}

/** What did not hold; all that held only for those who want to see it. */
function why(frame: Frame, would: boolean, reasons: readonly Reason[]): Html {
  if (!would) {
    return reasonList(
      frame,
      reasons.filter(({ held }) => !held),
    );
  }
  return html`<details class="verdict-text small"><summary class="muted">${icon(frame, 'chevron-right', 'is-small')} What held</summary>${reasonList(frame, reasons)}</details>`;
}

function many(count: number, one: string, more: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : more}`;
}
