import type { Grant } from '../../github/budget.ts';

/** Room at the hosts that webhooks go to, so that one that does not answer holds up no other. */
export interface Receivers {
  /** Leave to send to a host. Undefined when there is no room at it: then its target waits for some, if it can be remembered. */
  enter(host: string, target: string): Grant | undefined;
  isWaiting(target: string): boolean;
  /**
   * Targets that are not to be claimed, since they wait for room at their hosts. Those for which there is room by now are let go
   * first, the longest waiting before others.
   */
  waiting(): string[];
}

/** Webhooks that are under way to one host at once. */
const AT_ONE_HOST = 4;
/** More targets than these are not remembered. */
const MOST_WAITING = 1000;

interface Host {
  open: number;
  /** Targets, the longest waiting first. */
  waiting: Set<string>;
}

/** What is known of hosts lives in memory alone: a host stands in no row, since it may be part of a secret. */
export function createReceivers(): Receivers {
  const hosts = new Map<string, Host>();

  const all = () => [...hosts.values()].flatMap((host) => [...host.waiting]);

  function leave(name: string, host: Host): void {
    host.open -= 1;
    if (host.open === 0 && host.waiting.size === 0) hosts.delete(name);
  }

  return {
    enter(name, target) {
      const host = hosts.get(name) ?? { open: 0, waiting: new Set() };
      hosts.set(name, host);
      if (host.open >= AT_ONE_HOST) {
        if (all().length < MOST_WAITING) host.waiting.add(target);
        return undefined;
      }
      host.open += 1;
      const over = () => leave(name, host);
      return { sent: over, failed: over };
    },
    isWaiting: (target) => all().includes(target),
    waiting() {
      for (const [name, host] of hosts) {
        for (const target of [...host.waiting].slice(0, AT_ONE_HOST - host.open)) {
          host.waiting.delete(target);
        }
        if (host.open === 0 && host.waiting.size === 0) hosts.delete(name);
      }
      return all();
    },
  };
}
