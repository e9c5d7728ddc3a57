import type { Gates } from '../../controller/operator/gates.ts';
import { newerThan } from '../../controller/operator/newer.ts';
import type { Operate } from '../../controller/operator/operate.ts';
import type { Run } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';
import { personFor } from '../auth/viewer.ts';
import type { Guard } from '../guard.ts';
import type { Commits } from '../read/commits.ts';
import { readRollback, type RollbackView } from '../read/rollback.ts';
import { webPagesOf, type WebServers } from '../read/web-pages.ts';
import { runPath, shortSha } from './components/commit.ts';
import { confirm, reasonField } from './components/confirm.ts';
import { ago } from './components/time.ts';
import { readField } from './form.ts';
import { html, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { get, post, type PageRoute } from './page.ts';

/** Revisions that a question about a rollback names. */
const MOST_NAMED = 5;

export interface RunActionDeps extends WebServers {
  store: Store;
  operate: Operate;
  gates: Gates;
  commits: Commits;
  guard: Guard;
}

interface Action {
  name: 'cancel' | 'retry' | 'rollback' | 'approve' | 'reject' | 'override';
  /** Before the environment's name. */
  verb: string;
  isDangerous: boolean;
  /** What will happen. */
  explain(frame: Frame, run: Run): Promise<Html>;
  /** Default: always. */
  isPossible?(run: Run): Promise<boolean>;
}

/** Cancelling, retrying and rolling back a run, each after it was confirmed with the name of the environment. */
export function runActionRoutes(deps: RunActionDeps): PageRoute[] {
  const { store, operate, gates, commits, guard } = deps;
  const actions: Action[] = [
    {
      name: 'cancel',
      verb: 'Cancel the run in',
      isDangerous: true,
      explain: async (_frame, run) =>
        html`<p>${shortSha(run.sha)} of <span class="strong">${run.spec}</span> ${
          run.state === 'running'
            ? 'is being deployed. Its step is ended, and what it has done so far stays as it is.'
            : 'waits to be deployed. It will not be.'
        }</p>`,
    },
    {
      name: 'retry',
      verb: 'Deploy again to',
      isDangerous: false,
      async explain(frame, run) {
        const newer = await newerThan(store, run);
        return html`<p>${shortSha(run.sha)} of <span class="strong">${run.spec}</span> is deployed once more, with the spec as it was then. A newer revision that waits goes first.</p>${
          newer === undefined || newer.does === 'waits'
            ? ''
            : html`<p class="strong">It is older than <a href="${runPath(frame, newer.run.id)}">${shortSha(newer.run.sha)}</a>, which ${newer.does} now, and takes its place.</p>`
        }`;
      },
    },
    {
      name: 'approve',
      verb: 'Approve for',
      isDangerous: false,
      explain: async (_frame, run) =>
        html`<p>${shortSha(run.sha)} of <span class="strong">${run.spec}</span> is deployed when enough people have approved it.</p>${reasonField()}`,
    },
    {
      name: 'reject',
      verb: 'Reject for',
      isDangerous: true,
      explain: async (_frame, run) =>
        html`<p>${shortSha(run.sha)} of <span class="strong">${run.spec}</span> is not deployed.</p>${reasonField()}`,
    },
    {
      name: 'override',
      verb: 'Open the window of',
      isDangerous: true,
      explain: async (_frame, run) =>
        html`<p>${shortSha(run.sha)} of <span class="strong">${run.spec}</span> does not wait for its time. Why is shown wherever the run is.</p>${reasonField({ required: true })}`,
    },
    {
      name: 'rollback',
      verb: 'Roll back',
      isDangerous: true,
      isPossible: async (run) => (await store.runs.standingBefore(run)).length > 0,
      async explain(frame, run) {
        const change = await readRollback(store, run);
        if (change === undefined)
          return html`<p>There is no earlier revision of <span class="strong">${run.spec}</span>.</p>`;
        return html`${await whatChanges(frame, change)}
<p class="muted">Its steps are run with the spec as it was then. The lane is paused, unless the spec says otherwise, so that the next push does not undo it.</p>${reasonField()}`;
      },
    },
  ];

  async function whatChanges(frame: Frame, { from, to, takenBack }: RollbackView): Promise<Html> {
    const title = async (one: Run) =>
      html`${shortSha(one.sha)} ${(await commits(one))?.title ?? ''}`;
    const named = await Promise.all(takenBack.slice(0, MOST_NAMED).map(title));
    const more = takenBack.length - named.length;
    const url = webPagesOf(to.repository, deps)?.compare(to.sha, from.sha);
    return html`<dl class="facts"><dt>From</dt><dd>${await title(from)}</dd><dt>To</dt><dd>${await title(to)} <span class="muted">${ago(to.createdAt, frame.now)}</span></dd><dt>Takes back</dt><dd>${
      named.length === 0
        ? 'Nothing: that commit is deployed now'
        : html`<ul>${named.map((one) => html`<li class="break">${one}</li>`)}${more > 0 ? html`<li class="muted">and ${more} more</li>` : ''}</ul>${
            url === undefined
              ? ''
              : html`<a href="${url}" rel="noreferrer">Compare${icon(frame, 'external', 'is-small')}</a>`
          }`
    }</dd></dl>`;
  }

  return actions.flatMap((action): PageRoute[] => [
    get(`/runs/:id/${action.name}`, async ({ ctx, frame, id }, viewer) => {
      await guard.allow(viewer, action.name, { kind: 'run', name: id });
      const run = await guard.run(viewer, id);
      const isPossible = (await action.isPossible?.(run)) ?? true;
      return confirm(ctx, {
        title: `${action.verb} ${run.environment}?`,
        text: await action.explain(frame, run),
        action: `${runPath(frame, run.id)}/${action.name}`,
        button: isPossible ? `${action.verb} ${run.environment}` : undefined,
        isDangerous: action.isDangerous,
        back: runPath(frame, run.id),
      });
    }),
    post(`/runs/:id/${action.name}`, async ({ ctx, id, frame }, viewer) => {
      const { name } = action;
      const actor = await guard.allow(viewer, name, { kind: 'run', name: id });
      if (name === 'approve' || name === 'reject' || name === 'override') {
        await gates[name](id, personFor(viewer, name), await readField(ctx, 'reason'));
        return { redirect: runPath(frame, id) };
      }
      if (name === 'rollback') {
        const reason = await readField(ctx, 'reason');
        const { run: back } = await operate.rollback(id, actor, { reason });
        return { redirect: runPath(frame, back.id) };
      }
      const made = await operate[name](id, actor);
      return { redirect: runPath(frame, made.id) };
    }),
  ]);
}
