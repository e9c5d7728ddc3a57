import type { SimulationHandlers } from '@simulacrum/foundation-simulator';
import { isJsonObject, textAt, type Json, type JsonObject } from '../json.ts';

const DOCS = 'https://docs.github.com/rest';

/** A request that has been routed: its operation is known, its body is valid. */
interface OperationRequest {
  /** `owner/name` as the forge spells it. */
  repository: string;
  params: Record<string, string>;
  query: URLSearchParams;
  body: JsonObject;
}

export interface OperationAnswer {
  status: number;
  body?: Json;
  /** For lists: the newest first; cut into pages as the query asks. */
  list?: JsonObject[];
  /** How the pages of a list are named: by number, or by the id of their first item. Default `page`. */
  paging?: 'page' | 'cursor';
}

export type OperationHandler = (
  request: OperationRequest,
) => OperationAnswer | Promise<OperationAnswer>;

/** What every handler needs to know of the forge. */
export interface ForgeFacts {
  url: string;
  /** The repository's name as the forge spells it. */
  spell: (repository: string) => string;
  /** The commit that a branch, tag or SHA means. */
  resolveCommit: (repository: string, revision: string) => Promise<string | undefined>;
  /** Whether `ancestor` is `descendant` or one of its ancestors. */
  isAncestor: (repository: string, ancestor: string, descendant: string) => Promise<boolean>;
  /** Who writes: the App's bot, or the token's owner. */
  writer: () => JsonObject;
  /** The repository as the API shows it. */
  repository: (name: string) => JsonObject;
}

/** The handlers in the form that the simulator takes (its `openapiHandlers`), keyed by GitHub's operation ids. */
export function toSimulatorHandlers(
  facts: Pick<ForgeFacts, 'url' | 'spell'>,
  handlers: Record<string, OperationHandler>,
): SimulationHandlers {
  return Object.fromEntries(
    Object.entries(handlers).map(([id, handle]): [string, SimulationHandlers[string]] => [
      id,
      async (context, request, response) => {
        const asked = new URL(request.originalUrl, facts.url);
        const params = readParams(context.request.params);
        const body: unknown = request.body;
        const answer = await handle({
          repository: facts.spell(`${params['owner']}/${params['repo']}`),
          params,
          query: asked.searchParams,
          body: isJsonObject(body) ? body : {},
        });
        response.status(answer.status);
        if (answer.list !== undefined) {
          const { items, link } = cutPage(answer.list, asked, answer.paging);
          if (link !== undefined) response.setHeader('link', link);
          response.json(items);
        } else if (answer.body === undefined) response.end();
        else response.json(answer.body);
      },
    ]),
  );
}

/** https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed */
export function unprocessable(message: string): OperationAnswer {
  return { status: 422, body: { message, documentation_url: DOCS } };
}

/** What GitHub has against a text, if anything: its length, and characters above U+FFFF. */
export function refuseText(
  resource: 'Status' | 'DeploymentStatus',
  field: string,
  text: Json | undefined,
  most = 140,
): OperationAnswer | undefined {
  if (typeof text !== 'string') return undefined;
  const problem =
    text.length > most
      ? `is too long (maximum is ${most} characters)`
      : /[\u{10000}-\u{10ffff}]/u.test(text) && "doesn't accept 4-byte Unicode";
  if (problem === false) return undefined;
  const errors = [{ resource, code: 'custom', field, message: `${field} ${problem}` }];
  const body = { message: 'Validation Failed', errors, documentation_url: DOCS };
  return { status: 422, body };
}

export function notFound(): OperationAnswer {
  return {
    status: 404,
    body: { message: 'Not Found', documentation_url: DOCS },
  };
}

function readParams(params: unknown): Record<string, string> {
  if (!isJsonObject(params)) return {};
  return Object.fromEntries(Object.keys(params).map((name) => [name, textAt(params, name)]));
}

/** https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api */
function cutPage(
  list: JsonObject[],
  asked: URL,
  paging: 'page' | 'cursor' = 'page',
): { items: JsonObject[]; link: string | undefined } {
  const size = Math.min(Number(asked.searchParams.get('per_page') ?? 30), 100);
  const named = asked.searchParams.get(paging);
  const isFirst = (item: JsonObject) => named === null || idOf(item) === named;
  const page = Number(named ?? 1);
  const start = paging === 'cursor' ? list.findIndex(isFirst) : (page - 1) * size;
  const items = start < 0 ? [] : list.slice(start, start + size);
  const following = list[start + size];
  if (start < 0 || following === undefined) return { items, link: undefined };
  const next = new URL(asked);
  next.searchParams.set(paging, paging === 'cursor' ? idOf(following) : String(page + 1));
  return { items, link: `<${next.href}>; rel="next"` };
}

/** The number that names an item in its list, as a path or a query has it. */
export function idOf(item: JsonObject): string {
  return String(Number(item['id']));
}
