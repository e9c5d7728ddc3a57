import type { Clock } from '../../../lib/clock.ts';
import type { Run } from '../../../model/run.ts';
import type { Store } from '../../../store/index.ts';
import { logText } from '../../api/log.ts';
import type { Guard } from '../../guard.ts';
import { empty } from '../components/empty.ts';
import { environmentPath, runPath } from '../components/commit.ts';
import { html, type Content, type Html } from '../html.ts';
import type { Frame } from '../layout.ts';
import { asked, costly, get, type PageAnswer, type PageRoute } from '../page.ts';
import { plainText } from './ansi.ts';
import { BLOCK, linesOf, type LogIndexes } from './log-index.ts';
import { shownStep } from './rows.ts';
import { blockPath, rowsOf } from './section.ts';

/** Hits of a search that are shown; more do not help to find anything. */
const MOST_HITS = 100;

interface Hit {
  step: number;
  line: number;
  text: string;
  at: number;
}

/** A run's log: in blocks as its page asks for them, whole as text, and searched. */
export function logRoutes(deps: {
  store: Store;
  logs: LogIndexes;
  guard: Guard;
  clock: Pick<Clock, 'elapsed'>;
}): PageRoute[] {
  const { store, logs, guard } = deps;

  return [
    get('/runs/:id/log.txt', async ({ ctx, id }, viewer) => {
      const run = await guard.run(viewer, id);
      ctx.attachment(`${run.spec}-${run.id}.log`);
      ctx.type = 'text/plain; charset=utf-8';
      ctx.body = logText(ctx, deps, run, false);
      return undefined;
    }),
    costly(
      'with q',
      get('/runs/:id/log', async ({ ctx, frame, id, query }, viewer) => {
        const run = await guard.run(viewer, id);
        const text = asked(query, 'q');
        if (ctx.get('HX-Request') === 'true' && text === undefined) return { piece: html`` };
        const steps = await store.steps.ofRun(run.id);
        const names = new Map(steps.map(({ index, name }) => [index, name]));
        const hits = text === undefined ? [] : await search(store, run.id, text, ctx.res);
        const list = hitList(frame, run, names, text ?? '', hits);
        return answer(ctx.get('HX-Request') === 'true', frame, run, list);
      }),
    ),
    get('/runs/:id/log/:step', async ({ ctx, frame, id, params, query }, viewer) => {
      const run = await guard.run(viewer, id);
      const step = wholeNumber(params['step']) - 1;
      const from = Math.floor(wholeNumber(query.get('from')) / BLOCK) * BLOCK;
      const rows = await rowsOf(logs, run.id, step, from);
      if (ctx.get('HX-Request') === 'true') return { piece: rows };
      const lines = (await logs.count(run.id)).get(step)?.lines ?? 0;
      const name = (await store.steps.ofRun(run.id)).find(({ index }) => index === step)?.name;
      return answer(false, frame, run, page(frame, run, { step, name, from, lines, rows }));
    }),
  ];
}

function wholeNumber(text: string | null | undefined): number {
  return /^\d{1,9}$/.test(text ?? '') ? Number(text) : 0;
}

function answer(isPiece: boolean, frame: Frame, run: Run, content: Html): PageAnswer {
  if (isPiece) return { piece: content };
  const title = `Log of ${run.spec}`;
  const body = html`<main id="main" class="page"><ol class="crumbs"><li><a href="${frame.root}">Overview</a></li><li><a href="${environmentPath(frame, run.spec)}">${run.spec}</a></li><li><a href="${runPath(frame, run.id)}"><code>${run.id.slice(-8)}</code></a></li><li>Log</li></ol><div class="page-head"><h1 class="break">${title}</h1></div>${content}</main>`;
  return { page: { title, section: 'Runs', body } };
}

/** A block of a log for those who look at it without a script. */
function page(
  frame: Frame,
  run: Run,
  shown: { step: number; name: string | undefined; from: number; lines: number; rows: Html },
): Html {
  const { step, name, from, lines, rows } = shown;
  const link = (to: number, text: string) =>
    html`<a class="button" href="${blockPath(frame.root, run.id, step, to)}">${text}</a>`;
  return html`<div class="panel"><div class="panel-head"><h2>${name ?? 'Checkout'}</h2></div><div class="log"><div class="log-block">${rows}</div></div></div>
<p class="pager buttons">${from > 0 ? link(from - BLOCK, 'Earlier lines') : ''}${from + BLOCK < lines ? link(from + BLOCK, 'Later lines') : ''}</p>`;
}

/** Stops when the answer is awaited no more: a page asks again with each letter. */
async function search(
  store: Pick<Store, 'logs'>,
  run: string,
  text: string,
  asker: { readonly destroyed: boolean },
): Promise<Hit[]> {
  const wanted = text.toLowerCase();
  const hits: Hit[] = [];
  for await (const line of linesOf(store, run)) {
    if (asker.destroyed) break;
    const plain = plainText(line.text);
    const at = plain.toLowerCase().indexOf(wanted);
    if (at === -1) continue;
    hits.push({ step: line.step, line: line.number, text: plain, at });
    if (hits.length > MOST_HITS) break;
  }
  return hits;
}

function hitList(
  frame: Frame,
  run: Run,
  names: ReadonlyMap<number, string>,
  text: string,
  hits: readonly Hit[],
): Html {
  if (hits.length === 0) {
    return html`<div class="panel hits">${empty(frame, { sign: 'search', title: 'Not in the log', text: html`No line has “${text}” in it.` })}</div>`;
  }
  const shown = hits.slice(0, MOST_HITS);
  const count = hits.length > MOST_HITS ? `the first ${MOST_HITS} lines` : `${hits.length}`;
  return html`<section class="panel hits" aria-label="Found"><div class="panel-head"><h2>Found</h2><span class="count">${count}</span></div>
<ul>${shown.map(({ step, line, text: plain, at }) => {
    const id = `${shownStep(step)}.${line + 1}`;
    return html`<li><a class="plain" href="${runPath(frame, run.id)}#${id}"><span class="muted small">${names.get(step) ?? 'Checkout'} ${line + 1}</span><code class="cut">${around(plain, at, text.length)}</code></a></li>`;
  })}</ul></section>`;
}

function around(plain: string, at: number, length: number): Content {
  const from = Math.max(0, at - 60);
  return html`${from > 0 ? '…' : ''}${plain.slice(from, at)}<mark>${plain.slice(at, at + length)}</mark>${plain.slice(at + length, at + length + 200)}`;
}
