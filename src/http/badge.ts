import { Router } from '@koa/router';
import { cleanLine } from '../lib/clean-text.ts';
import { hasEnded, type Run } from '../model/run.ts';
import type { Catalog } from '../spec/catalog.ts';
import { html, type Html } from './pages/html.ts';
import { ProblemError } from './problem.ts';
import type { RecentRuns } from './read/recent-runs.ts';

const LONGEST = 60;
/** Of Verdana with 11 pixels: what is none of these is as wide as most letters. Where that font is not, text is made to fit. */
const WIDTHS: readonly [characters: RegExp, px: number][] = [
  [/[ijl.,:;|!']/g, 3.4],
  [/[frt ()-]/g, 4.5],
  [/[csxyzkv]/g, 6],
  [/[mwMW@%]/g, 10],
];
const LETTER_PX = 7;
/** On each side of a text. */
const ROOM_PX = 6;
/** Short, as what it shows changes; GitHub's image proxy obeys it. */
const FRESH = 'public, max-age=30, must-revalidate';

const COLOURS = {
  good: '#1a7f37',
  bad: '#cf222e',
  busy: '#0969da',
  held: '#9a6700',
  idle: '#59636e',
} as const;

interface Shown {
  colour: keyof typeof COLOURS;
  text: string;
}

/**
 * `GET /badge/SPEC.svg`: how the last run of a spec is, for everyone who asks. Only for specs that say `badge: true`: whether a
 * repository is private is not known here, so any other is answered as one that does not exist.
 */
export function badgeRoutes(deps: { catalog: Catalog; recentRuns: RecentRuns }): Router {
  const router = new Router();
  router.get('/badge/:spec.svg', async (ctx) => {
    const spec = deps.catalog.byName(ctx.params['spec'] ?? '')?.spec;
    if (spec?.badge !== true) {
      throw new ProblemError(404, 'badge-unknown', 'there is no such badge', {
        hint: 'a spec has one when it says "badge: true"',
      });
    }
    const { lane } = spec.concurrency;
    const { runs: active } = await deps.recentRuns.underWay();
    const runs = [
      ...active.filter((run) => run.spec === spec.name),
      ...(await deps.recentRuns.of(spec.name)),
    ];
    const { text } = draw(spec.name, show(runs.filter((run) => run.lane === lane)));
    ctx.set('Cache-Control', FRESH);
    ctx.set('Content-Security-Policy', "default-src 'none'; style-src 'none'; sandbox");
    ctx.set('X-Content-Type-Options', 'nosniff');
    ctx.type = 'image/svg+xml';
    ctx.body = text;
  });
  return router;
}

/** What runs counts before what has ended. */
function show(runs: readonly Run[]): Shown {
  const run =
    runs.find(({ state }) => state === 'running') ??
    runs.find(({ state }) => !hasEnded(state)) ??
    runs.find(({ state }) => state !== 'superseded');
  if (run === undefined) return { colour: 'idle', text: 'not deployed' };
  const sha = run.sha.slice(0, 7);
  if (run.state === 'succeeded') return { colour: 'good', text: `deployed ${sha}` };
  if (run.state === 'failed') return { colour: 'bad', text: `failed ${sha}` };
  if (run.state === 'running') return { colour: 'busy', text: `deploying ${sha}` };
  if (run.state === 'blocked') return { colour: 'held', text: `waiting ${sha}` };
  return { colour: 'idle', text: `${run.state} ${sha}` };
}

function draw(name: string, { colour, text }: Shown): Html {
  const characters = Array.from(cleanLine(name));
  const label =
    characters.length > LONGEST
      ? `${characters.slice(0, LONGEST - 1).join('')}…`
      : characters.join('');
  const [labelWide, textWide] = [widthOf(label), widthOf(text)];
  const left = labelWide + 2 * ROOM_PX;
  const width = left + textWide + 2 * ROOM_PX;
  return html`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${label}: ${text}"><title>${label}: ${text}</title><rect width="${width}" height="20" rx="3" fill="${COLOURS[colour]}"/><path d="M3 0h${left - 3}v20H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3z" fill="#32383f"/><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle"><text x="${left / 2}" y="14" textLength="${labelWide}">${label}</text><text x="${(left + width) / 2}" y="14" textLength="${textWide}">${text}</text></g></svg>`;
}

/** In whole pixels. */
function widthOf(text: string): number {
  const all = Array.from(text).length * LETTER_PX;
  const less = WIDTHS.map(
    ([characters, px]) => (text.match(characters)?.length ?? 0) * (LETTER_PX - px),
  );
  return Math.round(less.reduce((wide, one) => wide - one, all));
}
