import { chainOfEvent } from '../../../model/chain.ts';
import { hookOfEvent } from '../../../model/hook.ts';
import { teardownOfEvent } from '../../../model/preview.ts';
import { scheduleOfEvent } from '../../../model/schedule.ts';
import { serverOfEvent } from '../../../model/server-event.ts';

/** What a delivery's event is called, for people: `Push`, `Hook registry`, `Chain to storefront`. */
export function eventName(event: string): string {
  const hook = hookOfEvent(event);
  if (hook !== undefined) return `Hook ${hook}`;
  const schedule = scheduleOfEvent(event);
  if (schedule !== undefined) return `Schedule of ${schedule}`;
  const chain = chainOfEvent(event);
  if (chain !== undefined) return `Chain to ${chain}`;
  const teardown = teardownOfEvent(event);
  if (teardown !== undefined) return `Teardown of ${teardown}`;
  const server = serverOfEvent(event);
  const kind = (server === undefined ? event : event.slice(0, -server.length - 1)).replaceAll(
    '_',
    ' ',
  );
  return (
    (kind[0]?.toUpperCase() ?? '') + kind.slice(1) + (server === undefined ? '' : ` on ${server}`)
  );
}
