import { PRESSES, type CheckEvent, type Press } from '../../model/event.ts';
import {
  type Fields,
  readCommit,
  readFields,
  readName,
  readNumber,
  readRepository,
} from './payload.ts';

/**
 * A button or GitHub's own "Re-run" that was pressed; undefined for what else GitHub tells of check runs and
 * suites, and for those of other Apps.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads#check_run
 */
export function parseCheck(
  name: 'check_run' | 'check_suite',
  payload: Fields,
): CheckEvent | undefined {
  const press = pressOf(name, payload);
  if (press === undefined) return undefined;
  const checked = readFields(payload[name], name);
  if (name === 'check_run' && checked.external_id === '') return undefined;
  return {
    kind: 'check',
    repository: readRepository(payload.repository, 'repository'),
    press,
    by: readName(readFields(payload.sender, 'sender').login, 'sender.login'),
    commit: readCommit(checked.head_sha, `${name}.head_sha`),
    checkRun:
      name === 'check_suite'
        ? undefined
        : {
            id: readNumber(checked.id, 'check_run.id'),
            run: readName(checked.external_id, 'check_run.external_id'),
          },
  };
}

function pressOf(name: string, payload: Fields): Press | undefined {
  if (payload.action === 'rerequested') return 'retry';
  if (name !== 'check_run' || payload.action !== 'requested_action') return undefined;
  const { identifier } = readFields(payload.requested_action, 'requested_action');
  return PRESSES.find((known) => known === identifier);
}
