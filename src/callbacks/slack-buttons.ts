import { cutText } from '../lib/cut-text.ts';
import type { Json, Press } from '../model/event.ts';
import { actionOf, valueOf } from '../model/message-press.ts';
import type { Run } from '../model/run.ts';
import { BUTTONS, pressesFor, whatItDoes } from './check-buttons.ts';

const STYLES: Partial<Record<Press, 'primary' | 'danger'>> = {
  approve: 'primary',
  reject: 'danger',
  cancel: 'danger',
  rollback: 'danger',
};
/** Of a name in a dialog, whose text has 300: https://docs.slack.dev/reference/block-kit/composition-objects/confirmation-dialog-object */
const MOST_NAME = 100;

/**
 * The buttons that a run has as it is; Slack asks once more before one that stops it or takes back what is deployed. `back`: the
 * revision that a rollback deploys.
 */
export function slackButtons(
  run: Run,
  notify: number,
  { isGated, back }: { isGated: boolean; back: string | undefined },
): Json {
  const elements = pressesFor(run, isGated).map((press) => {
    const { label } = BUTTONS[press];
    const style = STYLES[press];
    return {
      type: 'button',
      text: plain(label),
      action_id: actionOf(press),
      value: valueOf({ run: run.id, notify }),
      ...(style === undefined ? {} : { style }),
      ...(style === 'danger' ? { confirm: dialogFor(press, run, back) } : {}),
    };
  });
  return { type: 'actions', elements };
}

function dialogFor(press: Press, { spec, environment }: Run, back: string | undefined): Json {
  const { label } = BUTTONS[press];
  const where = `${cutText(spec, MOST_NAME)} in ${cutText(environment, MOST_NAME)}`;
  return {
    title: plain(`${label}?`),
    text: plain(`${where}: ${whatItDoes(press, back)}`),
    confirm: plain(label),
    deny: plain('Leave it'),
    style: 'danger',
  };
}

function plain(text: string): Json {
  return { type: 'plain_text', text, emoji: false };
}
