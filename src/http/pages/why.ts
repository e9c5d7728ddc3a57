import type { Answer, Ask, AskedCommit } from '../../controller/operator/ask.ts';
import { readQuestion, type Question } from '../../controller/operator/question.ts';
import type { Why } from '../../controller/operator/why.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { Commits } from '../read/commits.ts';
import { pathsOfWhys, type PathsShown, type PathTableDeps } from '../read/path-tables.ts';
import { webPagesOf, type WebServers } from '../read/web-pages.ts';
import { environmentPath, runPath, shortSha } from './components/commit.ts';
import { empty } from './components/empty.ts';
import { pathTable } from './components/path-table.ts';
import { reasonList } from './components/reasons.ts';
import { runRows } from './components/run-rows.ts';
import { withTimes } from './components/time.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { asked, costly, get, type PageRoute } from './page.ts';

type ShownWith = { commits: Commits; store: Pick<Store, 'inbox'> } & WebServers & PathTableDeps;

/** How each fate is called, and shown. */
const FATES: Record<Why['fate'], [name: string, sign: string, tone: string]> = {
  live: ['Live', 'succeeded', 'succeeded'],
  replaced: ['Replaced', 'superseded', 'superseded'],
  'let-go-on': ['Let go on', 'succeeded', 'succeeded'],
  waiting: ['Waiting', 'hourglass', 'blocked'],
  running: ['Running', 'running', 'running'],
  failed: ['Failed', 'failed', 'failed'],
  cancelled: ['Cancelled', 'cancelled', 'cancelled'],
  superseded: ['Superseded', 'superseded', 'superseded'],
  'not-matched': ['Did not match', 'no-entry', 'none'],
  'not-newest': ['Not the newest', 'no-entry', 'none'],
  'not-decided': ['Not decided', 'info', 'none'],
  'never-heard-of': ['Never heard of', 'search', 'none'],
};

const ROLES: Record<AskedCommit['role'], string> = {
  commit: '',
  merged: 'what merged it',
  head: 'its newest commit',
};

/** Why a commit, a pull request or a run was or was not deployed. */
export function whyRoutes(deps: { ask: Ask } & ShownWith): PageRoute[] {
  return [
    costly(
      'with q',
      get('/why', async ({ frame, query }, viewer) => {
        const text = asked(query, 'q', 500);
        const question = text === undefined ? undefined : readQuestion(text, deps);
        const answer = question && (await deps.ask(question, viewer.canSee));
        const body = html`<main id="main" class="page">
<div class="page-head"><div><h1>Why?</h1><p class="muted">Why a commit, a pull request or a run was or was not deployed, spec by spec.</p></div></div>
<form class="filters is-one" method="get" action="${frame.root}why" role="search">
<div class="grow">${icon(frame, 'search')}<input class="field" type="search" name="q" value="${text}" maxlength="500" placeholder="A commit, a pull request or a run" aria-label="What to ask about" autocomplete="off" spellcheck="false"${text === undefined ? html` autofocus` : ''}></div><button class="button is-primary">Ask</button>
</form>
${text === undefined ? examples(frame) : answer === undefined ? notUnderstood(frame) : await answered(frame, answer, text, deps, viewer)}
</main>`;
        return { page: { title: 'Why?', section: 'Why?', body } };
      }),
    ),
  ];
}

const EXAMPLES = [
  ['3f8a91c', 'a commit, or at least its first seven letters'],
  ['acme/storefront@3f8a91c', 'the same in one repository'],
  ['#12', 'a pull request, where only one repository is deployed'],
  ['acme/storefront#12', 'a pull request'],
  ['https://github.com/acme/storefront/pull/12', 'the address of a commit or a pull request'],
  ['01k9w2v8q4m6x0c3f7s1d5h9jb', 'a run, or the address of its page'],
] as const;

function exampleList(): Html {
  return html`<dl class="facts examples">${EXAMPLES.map(
    ([text, means]) =>
      html`<dt><code class="break">${text}</code></dt><dd class="muted">${means}</dd>`,
  )}</dl>`;
}

function examples(frame: Frame): Html {
  return html`<section class="panel"><div class="panel-head">${icon(frame, 'info')}<h2>What can be asked</h2></div><div class="panel-body">${exampleList()}</div></section>`;
}

function notUnderstood(frame: Frame): Html {
  return html`<div class="note is-warning" role="alert">${icon(frame, 'alert')}<p class="grow">That is no commit, pull request or run. Write it in one of these ways.</p></div>${examples(frame)}`;
}

function nameOf(question: Question): string {
  if (question.kind === 'run') return `run ${question.run}`;
  if (question.kind === 'pull') {
    return `pull request #${question.number}${question.repository === undefined ? '' : ` of ${question.repository}`}`;
  }
  return `commit ${question.sha.slice(0, 12)}`;
}

async function answered(
  frame: Frame,
  answer: Answer,
  text: string,
  deps: ShownWith,
  viewer: Viewer,
): Promise<Content> {
  const { question, run, commits, choices } = answer;
  if (commits.length === 0) {
    if (question.kind === 'pull' && question.repository === undefined && choices.length > 0) {
      const links = choices.map((repository) => {
        const q = `${repository}#${question.number}`;
        return html`<li><a class="plain strong row-link" href="${frame.root}${pathTo(['why'], { q })}">${q}</a></li>`;
      });
      return html`<section class="panel"><div class="panel-head">${icon(frame, 'repo')}<h2>Of which repository?</h2></div><ul class="rows">${links}</ul></section>`;
    }
    return html`<div class="panel">${empty(frame, {
      sign: 'search',
      title: `Nothing is known of ${nameOf(question)}`,
      text:
        question.kind === 'run'
          ? 'There is no such run, or it is no longer kept.'
          : html`No run and no delivery that is kept tells of it. ${question.kind === 'pull' ? 'Ask for the commit that merged it.' : 'Name the repository to hear what its specs say:'}`,
      ...(question.kind === 'commit' ? { command: `owner/name@${text.slice(0, 12)}` } : {}),
    })}</div>`;
  }
  const own =
    run === undefined
      ? ''
      : html`<section class="panel" aria-label="The run">${await runRows(frame, deps.commits, [run])}<p class="panel-body small">${withTimes(sentence(`${run.state}: ${run.reason}`), frame.now)}</p></section>`;
  return [own, ...(await Promise.all(commits.map((one) => commitPanel(frame, one, deps, viewer))))];
}

async function commitPanel(
  frame: Frame,
  { repository, sha, role, specs }: AskedCommit,
  deps: ShownWith,
  viewer: Viewer,
): Promise<Html> {
  const paths = await pathsOfWhys(deps, viewer, specs);
  const told = specs.find(({ delivery }) => delivery !== undefined);
  const whole = specs.find(({ run }) => run !== undefined)?.run?.sha ?? sha;
  const commit =
    told?.delivery === undefined
      ? undefined
      : await deps.commits({ sha: whole, delivery: told.delivery });
  const url = webPagesOf(repository, deps)?.commit(whole);
  // What has a run says more.
  const shown = specs.toSorted((a, b) => Number(b.run !== undefined) - Number(a.run !== undefined));
  const facts = [repository, commit?.author, ROLES[role]].filter(
    (fact) => fact !== undefined && fact !== '',
  );
  return html`<section class="panel" aria-label="${whole.slice(0, 7)} of ${repository}"><div class="panel-head">${icon(frame, 'commit')}<h2 class="break">${shortSha(whole)} ${commit?.title ?? ''} <span class="muted small">${facts.join(' · ')}</span></h2>${
    url === undefined
      ? ''
      : html`<a class="button is-small end" href="${url}" rel="noreferrer">Commit${icon(frame, 'external')}</a>`
  }</div>
${
  specs.length === 0
    ? html`<p class="panel-body muted">No deployment spec is for ${repository}, and no run has deployed it.</p>`
    : html`<ul class="rows">${shown.map((why) => specRow(frame, why, paths.get(why.spec)))}</ul>`
}</section>`;
}

function specRow(frame: Frame, why: Why, paths: PathsShown | undefined): Html {
  const { spec, environment, fate, summary, hint, run, delivery, reasons } = why;
  const [name, sign, tone] = FATES[fate];
  return html`<li class="verdict"><div class="verdict-head wraps"><span class="tone is-${tone}">${icon(frame, sign, sign === 'running' ? 'is-running' : '')}</span><a class="plain strong break" href="${environmentPath(frame, spec)}">${spec}</a><span class="muted break">${environment}</span><span class="badge is-${tone}">${name}</span><span class="buttons end">${
    delivery === undefined
      ? ''
      : html`<a class="button is-small" href="${frame.root}${pathTo(['deliveries', delivery])}">${icon(frame, 'webhook')}Delivery</a>`
  }${
    run === undefined
      ? ''
      : html`<a class="button is-small" href="${runPath(frame, run.id)}">${icon(frame, 'rocket')}Run</a>`
  }</span></div>
${
  // The condition that did not hold says the same.
  fate === 'not-matched' && reasons.length > 0
    ? ''
    : html`<p class="verdict-text break">${withTimes(sentence(summary), frame.now)}</p>`
}${reasons.length === 0 ? '' : reasonList(frame, reasons)}${pathTable(frame, paths)}${
    hint === undefined ? '' : html`<p class="verdict-text small muted break">${sentence(hint)}</p>`
  }</li>`;
}

/** With a capital, unless it begins with a quotation mark, and an end. */
function sentence(text: string): string {
  const whole = (text[0]?.toUpperCase() ?? '') + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
