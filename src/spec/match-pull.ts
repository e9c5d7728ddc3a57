import type { DeploymentSpec } from '../model/deployment-spec.ts';
import { sameRepository, type PullRequestEvent, type TeardownEvent } from '../model/event.ts';
import type { PullTrigger } from '../model/preview.ts';
import { allOf, failed, held, type Verdict } from '../model/verdict.ts';
import { matchesName } from './match-lists.ts';

/** Whether a pull request is deployed. Of a fork only where the spec says so, and never with secrets. */
export function matchesPull(
  spec: Pick<DeploymentSpec, 'secrets'>,
  { branches, forks }: PullTrigger,
  event: PullRequestEvent,
): Verdict {
  const name = `pull request #${event.number}`;
  const base = { condition: 'on.pull_request.branches', only: branches, ignore: [] };
  return allOf([
    event.isReady
      ? held('on.pull_request', `${name} is open`)
      : failed('on.pull_request', `${name} is ${event.isClosed ? 'closed' : 'a draft'}`),
    matchesName(base, event.base),
    isFork(event)
      ? ofFork(spec, forks, name)
      : held('on.pull_request.forks', `${name} is of no fork`),
  ]);
}

/** A branch whose repository is gone was a fork's. */
export function isFork({ repository, headRepository }: PullRequestEvent): boolean {
  return headRepository === undefined || !sameRepository(repository, headRepository);
}

function ofFork(
  { secrets }: Pick<DeploymentSpec, 'secrets'>,
  forks: boolean,
  name: string,
): Verdict {
  if (!forks)
    return failed(
      'on.pull_request.forks',
      `${name} is of a fork, and the spec does not say forks: true`,
    );
  return secrets.length === 0
    ? held(
        'on.pull_request.forks',
        `${name} is of a fork, and the spec says forks: true and has no secrets`,
      )
    : failed(
        'on.pull_request.forks',
        `${name} is of a fork, and the spec has secrets: a fork's code never runs with them`,
      );
}

/** Whether a spec takes a preview of its own down: its file may say something else by now. */
export function matchesTeardown(spec: DeploymentSpec, event: TeardownEvent): Verdict {
  if (spec.on.pullRequest === undefined || spec.name !== event.spec) {
    return failed('teardown', `${spec.name} deploys no pull requests any more`);
  }
  if (!sameRepository(spec.repository, event.repository)) {
    return failed(
      'teardown',
      `the preview is of ${event.repository}, the spec is for ${spec.repository}`,
    );
  }
  if (event.fork && spec.secrets.length > 0) {
    return failed(
      'teardown',
      `the preview is of a fork, and the spec has secrets by now: a fork's code never runs with them`,
    );
  }
  return held(
    'teardown',
    `the preview of pull request #${event.number} is taken down: ${event.reason}`,
  );
}
