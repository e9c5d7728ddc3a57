import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { SystemUser } from '../lib/hand-over.ts';

/** As whom steps run, and how that was written. */
export interface StepUser extends SystemUser {
  name: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$/;
const NUMBERS = /^(\d{1,10})(?::(\d{1,10}))?$/;
/** The highest is what system calls take for "no change". */
const MOST = 2 ** 32 - 2;

/**
 * The user that `name`, `uid` or `uid:gid` names. A name has its own group; a number alone is the group's too.
 * A problem goes on where the variable's name ends.
 */
export function findStepUser(text: string): { user: StepUser } | { problem: string; todo: string } {
  const [, uid, gid = uid] = NUMBERS.exec(text) ?? [];
  const user =
    uid !== undefined ? { uid: Number(uid), gid: Number(gid) } : NAME.test(text) && accountOf(text);
  const written = JSON.stringify(text.slice(0, 80));
  if (user === false) {
    return { problem: `is ${written}`, todo: "write a user's name, uid or uid:gid" };
  }
  if (user === undefined) {
    return {
      problem: `is ${written}, a user that this machine does not know`,
      todo: 'make the user, or write uid:gid',
    };
  }
  if (user.uid > MOST || user.gid > MOST) {
    return { problem: `is ${written}`, todo: `numbers go up to ${MOST}` };
  }
  if (user.uid === 0 || user.gid === 0) {
    return {
      problem: `is ${written}, which is root`,
      todo: 'name a user and a group without rights',
    };
  }
  if (user.uid === process.getuid?.()) {
    return {
      problem: `is ${written}, the user that Mainsheet itself runs as`,
      todo: 'start Mainsheet as root and name another one, or remove it',
    };
  }
  return { user: { ...user, name: text } };
}

/** https://man7.org/linux/man-pages/man5/passwd.5.html */
function accountOf(name: string): SystemUser | undefined {
  const [, , uid, gid] = (inFile(name) ?? inDirectory(name))?.split(':') ?? [];
  return uid === undefined || gid === undefined
    ? undefined
    : { uid: Number(uid), gid: Number(gid) };
}

function inFile(name: string): string | undefined {
  try {
    const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
    return lines.find((line) => line.startsWith(`${name}:`));
  } catch {
    return undefined;
  }
}

/** Where users come from elsewhere too (LDAP and the like). */
function inDirectory(name: string): string | undefined {
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    const options = { encoding: 'utf8', stdio, timeout: 10_000 } as const;
    const answer = execFileSync('getent', ['passwd', name], options).trim();
    return answer.startsWith(`${name}:`) ? answer : undefined;
  } catch {
    return undefined;
  }
}
