import { kindOf } from '../../../callbacks/index.ts';
import type { OutboxEntry } from '../../../store/outbox.ts';

const NAMES: Record<string, string> = {
  status: 'Commit status',
  'gitlab-status': 'Commit status',
  'bitbucket-status': 'Commit status',
  'gitea-status': 'Commit status',
  deployment: 'Deployment',
  'deployment-status': 'Deployment status',
  dispatch: 'Repository dispatch',
  webhook: 'Webhook',
  answer: 'Answer to the sender',
  check: 'Check run',
  'plan-check': 'Check run of a plan',
  'spec-check': 'Check run of specs',
  'plan-comment': 'Comment of a plan',
  protection: 'Answer to Actions',
  'slack-app': 'Message in Slack',
  'slack-thread': 'Replies in Slack',
  'slack-reply': 'Answer in Slack',
};

/** What a callback is called, for people. */
export function callbackName({ callback }: Pick<OutboxEntry, 'callback'>): string {
  return NAMES[callback.kind] ?? callback.kind;
}

/** The state that it tells, in a word. A newer version's kind tells what this one does not know. */
export function tells({ callback }: Pick<OutboxEntry, 'callback'>): string {
  try {
    return kindOf(callback).tells(callback);
  } catch {
    return '';
  }
}
