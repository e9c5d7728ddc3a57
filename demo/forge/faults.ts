import type { Json } from '../json.ts';

/**
 * What happens to a request instead of its answer: another answer · `reset`: the connection breaks before anything was
 * done · `hang`: no answer ever comes · `lost-answer`: all is done, but the connection breaks before the answer (of git,
 * whose answer begins before all is done, it is a `reset`).
 */
export type Fault =
  | { status: number; headers?: Record<string, string>; body?: Json }
  | 'reset'
  | 'hang'
  | 'lost-answer';

interface FaultMatch {
  method?: string;
  path?: RegExp;
  /** So many requests that match are answered first; default none. */
  after?: number;
}

export interface Faults {
  /** The next `times` (default 1) requests that match meet `fault`; earlier orders go first. */
  next: (match: FaultMatch, fault: Fault, times?: number) => void;
  /** The fault that a request meets, used up by asking. */
  take: (method: string, path: string) => Fault | undefined;
  /** How many faults no request has met yet. */
  left: () => number;
}

export function createFaults(): Faults {
  const orders: { match: FaultMatch; fault: Fault; passes: number; left: number }[] = [];
  return {
    next(match, fault, times = 1) {
      orders.push({ match, fault, passes: match.after ?? 0, left: times });
    },
    take(method, path) {
      const index = orders.findIndex(({ match }) => {
        return (
          (match.method === undefined || match.method.toUpperCase() === method) &&
          (match.path === undefined ||
            new RegExp(match.path.source, match.path.flags.replace('g', '')).test(path))
        );
      });
      const order = orders[index];
      if (order === undefined) return undefined;
      if (order.passes > 0) {
        order.passes -= 1;
        return undefined;
      }
      order.left -= 1;
      if (order.left <= 0) orders.splice(index, 1);
      return order.fault;
    },
    left: () => orders.reduce((sum, order) => sum + order.left, 0),
  };
}
