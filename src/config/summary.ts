import { PLAIN_VARIABLES, SECRET_VARIABLES, type Environment } from './variables.ts';

/** A variable as it may be shown. */
export interface Setting {
  name: string;
  isSet: boolean;
  isSecret: boolean;
  /** Undefined where it is not set, and of secrets. */
  value: string | undefined;
}

/** Plain for the configuration, but those who know it read what is meant for others: the address of a channel. */
const NOT_SHOWN: ReadonlySet<string> = new Set(['MAINSHEET_TUNNEL']);

/** Read elsewhere (`way-out.ts`); a proxy's address may have a password. */
const ELSEWHERE = ['HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY'];

/** Every variable that Mainsheet knows, in the order of the alphabet, without what is secret. Pure. */
export function describeSettings(env: Environment): Setting[] {
  const has = (name: string) => (env[name]?.trim() ?? '') !== '';
  const hidden = (name: string, isSet: boolean): Setting => ({
    name,
    isSet,
    isSecret: true,
    value: undefined,
  });
  const plain = PLAIN_VARIABLES.map((name): Setting => {
    if (NOT_SHOWN.has(name)) return hidden(name, has(name));
    const value = has(name) ? withoutPassword(env[name] ?? '') : undefined;
    return { name, isSet: has(name), isSecret: false, value };
  });
  const secret = SECRET_VARIABLES.map((name) => hidden(name, has(name) || has(`${name}_FILE`)));
  const others = ELSEWHERE.map((name) => hidden(name, has(name) || has(name.toLowerCase())));
  return [...plain, ...secret, ...others].toSorted((a, b) => a.name.localeCompare(b.name));
}

/** URLs in it without a user and a password. */
function withoutPassword(text: string): string {
  return text.replaceAll(/:\/\/[^/?#\s]*@/g, '://***@');
}
