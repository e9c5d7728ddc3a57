import type { SenderName } from '../model/hook.ts';
import type { Source } from './contract.ts';
import { github } from './github/source.ts';
import { hmac } from './hmac.ts';
import { basic, bearer, header, path } from './token.ts';

/** Who may start something. */
export const SOURCES = {
  github,
  hmac,
  bearer,
  basic,
  header,
  path,
} as const satisfies Record<SenderName, Source>;
