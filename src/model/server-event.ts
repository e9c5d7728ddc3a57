import { isServerName } from '../lib/names.ts';

/** What a delivery of a git server that is not GitHub has as its event: `push@work`. No other has an "@". */
export function serverEventName(server: string, kind: string): string {
  return `${kind}@${server}`;
}

/** The server of a delivery, by its event's name; undefined for any other. */
export function serverOfEvent(name: string): string | undefined {
  const [, server] = name.split('@', 2);
  return server !== undefined && isServerName(server) ? server : undefined;
}
