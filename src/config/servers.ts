import { isServerName } from '../lib/names.ts';
import { SERVER_TYPES, type GitServer } from '../lib/servers.ts';
import { secretVariable, type Environment } from './variables.ts';
import { webUrl } from './web-url.ts';
import { quote, Wrong } from './wrong.ts';

const LIST = 'MAINSHEET_SERVERS';
const TOKEN = /^(MAINSHEET_SERVER_.+_TOKEN)(?:_FILE)?$/;
const FORM = 'write "name type url", several with commas: work gitlab https://gitlab.example.com';

/**
 * The git servers of `MAINSHEET_SERVERS`, each with the token of `MAINSHEET_SERVER_<NAME>_TOKEN` or its `_FILE`. Operators set
 * them, not those who write specs: a token goes to the server that stands beside it, and to no other.
 */
export function readServers(env: Environment): {
  servers: Map<string, GitServer>;
  problems: string[];
  warnings: string[];
} {
  const servers = new Map<string, GitServer>();
  const problems: string[] = [];
  const used = new Set<string>();
  for (const entry of (env[LIST] ?? '').split(/[,\n]/)) {
    if (entry.trim() === '') continue;
    const [name = '', word = '', address = '', ...more] = entry.trim().split(/\s+/);
    const type = SERVER_TYPES.find((one) => one === word);
    const url = webUrl(address);
    if (more.length > 0 || type === undefined) {
      const types = SERVER_TYPES.join(', ');
      problems.push(`${LIST} has ${quote(name)}, whose type is none of ${types}: ${FORM}`);
    } else if (!isServerName(name)) {
      problems.push(`${LIST} has the name ${quote(name)}: use a-z, 0-9 and "-"`);
    } else if (servers.has(name)) {
      problems.push(`${LIST} has ${quote(name)} twice: every server needs a name of its own`);
    } else if (url instanceof Wrong) {
      problems.push(...url.messages.map((message) => `${LIST}: the URL of ${name} ${message}`));
    } else {
      const variable = `MAINSHEET_SERVER_${name.toUpperCase().replaceAll('-', '_')}_TOKEN`;
      used.add(variable);
      const token = secretVariable(env, variable, problems)?.trim();
      if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
        problems.push(`${variable} is no token: copy it whole`);
      }
      servers.set(name, { name, type, url, token });
    }
  }
  const warnings = Object.keys(env)
    .filter((name) => !used.has(TOKEN.exec(name)?.[1] ?? name) && TOKEN.test(name))
    .map((name) => `${name} is of no server in ${LIST}: name the server there, or remove it`);
  return { servers, problems, warnings };
}

/** Whether a variable is that of a server's token. */
export function isServerToken(name: string): boolean {
  return TOKEN.test(name);
}
