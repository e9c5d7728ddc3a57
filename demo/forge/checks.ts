import { isJsonObject, parseJson, textAt, type JsonObject } from '../json.ts';

/** More check runs than a forge ever has. */
const MOST = 10_000;

/**
 * The check runs of a commit, newest first, as GitHub lists them. Emulate keeps them, but lists those alone of commits that it made
 * itself: `read` asks it for one by its number, from 1.
 */
export async function listChecks(
  read: (id: number) => Promise<{ status: number; body: string }>,
  asked: URL,
): Promise<JsonObject> {
  const sha = /\/commits\/([^/]+)\/check-runs$/.exec(asked.pathname)?.[1];
  const name = asked.searchParams.get('check_name');
  const found: JsonObject[] = [];
  for (let id = 1; id <= MOST; id += 1) {
    const { status, body } = await read(id);
    if (status === 404) break;
    const check = parseJson(body);
    if (!isJsonObject(check) || textAt(check, 'head_sha') !== sha) continue;
    if (name === null || textAt(check, 'name') === name) found.unshift(check);
  }
  const size = Number(asked.searchParams.get('per_page') ?? 30);
  const start = (Number(asked.searchParams.get('page') ?? 1) - 1) * size;
  return { total_count: found.length, check_runs: found.slice(start, start + size) };
}
