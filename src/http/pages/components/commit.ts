import { pullOf } from '../../../model/preview.ts';
import type { Run } from '../../../model/run.ts';
import type { CommitTitle } from '../../read/commits.ts';
import { html, pathTo, type Html } from '../html.ts';
import { icon, type Frame } from '../layout.ts';

/** The first characters of a commit's name, as Git shows them. */
export function shortSha(sha: string): Html {
  return html`<code title="${sha}">${sha.slice(0, 7)}</code>`;
}

/** The branch, tag or pull request of a run. */
export function refOf(frame: Frame, run: Pick<Run, 'branch' | 'tag' | 'ref' | 'event'>): Html {
  const pull = pullOf(run);
  if (pull !== undefined) return html`<span>${icon(frame, 'branch', 'is-small')}#${pull}</span>`;
  const name = run.branch ?? run.tag ?? run.ref.replace(/^refs\/(?:heads|tags)\//, '');
  return html`<span>${icon(frame, run.tag === undefined ? 'branch' : 'tag', 'is-small')}<span class="cut">${name}</span></span>`;
}

export function runPath(frame: Frame, run: string): string {
  return frame.root + pathTo(['runs', run]);
}

export function environmentPath(frame: Frame, spec: string): string {
  return frame.root + pathTo(['specs', spec]);
}

/** What a spec had deployed, and when. */
export function historyPath(frame: Frame, spec: string): string {
  return frame.root + pathTo(['specs', spec, 'history']);
}

const EVENTS: Record<string, string> = {
  push: 'Push',
  release: 'Release',
  workflow_run: 'Workflow',
  deploy: 'By hand',
  hook: 'Hook',
  schedule: 'Schedule',
  deployment: 'Chain',
  pull_request: 'Pull request',
  teardown: 'Teardown',
  deployment_protection_rule: 'Actions job',
};

const CAUSES: Record<string, string> = {
  retry: 'Retry',
  rollback: 'Rollback',
  replay: 'Replay',
  deploy: 'By hand',
};

/** How a run came to be, in a few words. */
export function causeOf({ cause, event }: Pick<Run, 'cause' | 'event'>): string {
  return CAUSES[cause] ?? EVENTS[event] ?? event;
}

/** What a run is called: by its commit's title, or by what made it where no delivery tells one. */
export function titleOf(
  run: Pick<Run, 'cause' | 'event' | 'ref' | 'sha'>,
  commit: CommitTitle | undefined,
): string {
  if (commit !== undefined) return commit.title;
  const pull = pullOf(run);
  return `${causeOf(run)} ${pull === undefined ? `of ${run.sha.slice(0, 7)}` : `#${pull}`}`;
}
