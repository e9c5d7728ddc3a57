import { wrong, type Wrong } from './wrong.ts';

/** One of those who may do everything: a user of GitHub, or the members of a team. */
export type Admin = { login: string } | { team: { org: string; slug: string } };

const LOGIN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;
const TEAM = /^([A-Za-z0-9][A-Za-z0-9_-]{0,99})\/([A-Za-z0-9][\w.-]{0,99})$/;

/** Users and `org/team`, with commas or spaces between them. */
export function parseAdmins(text: string): Admin[] | Wrong {
  const admins: Admin[] = [];
  for (const part of text.split(/[\s,]+/).filter(Boolean)) {
    const [, org, slug] = TEAM.exec(part) ?? [];
    if (org !== undefined && slug !== undefined) admins.push({ team: { org, slug } });
    else if (LOGIN.test(part)) admins.push({ login: part });
    else
      return wrong(`has "${part.slice(0, 80)}"`, 'write users and teams like alice, acme/platform');
  }
  return admins;
}
