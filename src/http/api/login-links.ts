import * as z from 'zod';
import type { LogIns } from '../auth/log-ins.ts';
import { ProblemError } from '../problem.ts';
import { operation, type Operation } from './route.ts';

/** Links that log a browser in. */
export function loginLinkOperations(logIns: LogIns): Operation[] {
  return [
    operation('post', '/login-links', {
      name: 'createLoginLink',
      summary: 'Makes a link that logs a browser in to the dashboard, once, within 15 minutes',
      status: 201,
      answer: z.object({
        path: z.string().describe('Below the address of the server'),
        expiresAt: z.iso.datetime(),
      }),
      async serve({ viewer }) {
        // A link begins a session that may do everything, also when its maker no longer may.
        if (viewer.actor.startsWith('github:')) {
          throw new ProblemError(403, 'not-allowed', 'you may not make links that log in', {
            hint: 'that takes the admin token',
          });
        }
        const { code, expiresAt } = await logIns.invite(viewer.actor);
        return { path: `login?code=${code}`, expiresAt };
      },
    }),
  ];
}
