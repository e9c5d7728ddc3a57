import { z } from 'zod';
import { isoTime } from '../../lib/clock.ts';
import type { LogIns } from '../auth/log-ins.ts';
import { operation, type Operation } from './route.ts';

/** Links that log a browser in. */
export function loginLinkOperations(logIns: LogIns): Operation[] {
  return [
    operation({
      method: 'post',
      path: '/login-links',
      name: 'createLoginLink',
      summary: 'Makes a link that logs a browser in to the dashboard, once, within 15 minutes',
      status: 201,
      answer: z.object({
        path: z.string().describe('Below the address of the server'),
        expiresAt: z.iso.datetime(),
      }),
      async serve(ctx) {
        const { code, expiresAt } = await logIns.invite(String(ctx.state['actor']));
        return { path: `login?code=${code}`, expiresAt: isoTime(expiresAt) };
      },
    }),
  ];
}
