import { isJsonObject, parseJson, textAt, type JsonObject } from '../json.ts';

/** More check runs than a forge ever has. */
const MOST = 10_000;

/**
 * Lists the check runs of a commit, newest first, as GitHub does. Emulate keeps them, but lists those alone of commits that it made
 * itself: `read` asks it for one by its number, from 1. Of which commit each is it is asked once: that stays.
 */
export function createListChecks() {
  const heads: (string | undefined)[] = [];

  return async function listChecks(
    read: (id: number) => Promise<{ status: number; body: string }>,
    asked: URL,
  ): Promise<JsonObject> {
    const sha = /\/commits\/([^/]+)\/check-runs$/.exec(asked.pathname)?.[1];
    const name = asked.searchParams.get('check_name');
    const found: JsonObject[] = [];
    for (let id = 1; id <= MOST; id += 1) {
      if (id in heads && heads[id] !== sha) continue;
      const { status, body } = await read(id);
      if (status === 404) break;
      const check = parseJson(body);
      if (!isJsonObject(check)) continue;
      heads[id] = textAt(check, 'head_sha');
      if (heads[id] !== sha) continue;
      if (name === null || textAt(check, 'name') === name) found.unshift(check);
    }
    const size = Number(asked.searchParams.get('per_page') ?? 30);
    const start = (Number(asked.searchParams.get('page') ?? 1) - 1) * size;
    return { total_count: found.length, check_runs: found.slice(start, start + size) };
  };
}
