import { readFile } from 'node:fs/promises';
import type { DemoController } from './controller.ts';
import type { Forge, JournalEntry } from './forge.ts';
import type { Timeline, Timelines } from './timeline.ts';

/** What the controller's event stream says: see `GET /api/v1/events`. */
interface ControllerEvent {
  event: string;
  data: Record<string, unknown>;
}

/** Notes what GitHub's side sees: each request of the controller as it is answered. Runs until `signal` aborts. */
export async function observeForge(
  forge: Pick<Forge, 'journal' | 'waitFor' | 'deployments'>,
  timelines: Timelines,
  signal: AbortSignal,
): Promise<void> {
  let seen = 0;
  while (!signal.aborted) {
    const known = seen;
    await forge.waitFor(() => forge.journal.length > known, 3_600_000).catch(() => undefined);
    for (; seen < forge.journal.length; seen += 1) {
      const entry = forge.journal[seen];
      // Entries come when they are answered, and in that order they are shown.
      if (entry !== undefined) await noteRequest(entry, Date.now(), forge, timelines);
    }
  }
}

async function noteRequest(
  { method, path, body, status }: JournalEntry,
  at: number,
  forge: Pick<Forge, 'deployments'>,
  timelines: Timelines,
): Promise<void> {
  if (method !== 'POST' || status < 200 || status > 299) return;
  const [, , owner, name, kind = '', of = ''] = path.split('/');
  const repository = `${owner}/${name}`;
  const fields = asRecord(body);
  const state = text(fields['state']);
  if (kind === 'statuses') {
    const detail = `commit status ${text(fields['context'])}: ${state}`;
    timelines.note(of, `status ${state}`, detail, at);
  } else if (kind === 'deployments' && of !== '') {
    // That of the push before, which this one takes the place of: its timeline has ended.
    if (state === 'inactive') return;
    const made = (await forge.deployments(repository)).find(({ id }) => id === Number(of));
    timelines.note(text(made?.['sha']), `deployment ${state}`, `Deployment: ${state}`, at);
  } else if (kind === 'deployments') {
    const detail = `Deployment to ${text(fields['environment'])} created`;
    timelines.note(text(fields['ref']), 'deployment created', detail, at);
  } else if (kind === 'dispatches') {
    const sha = text(asRecord(fields['client_payload'])['sha']);
    timelines.note(sha, 'dispatch', `${repository}: ${text(fields['event_type'])}`, at);
  }
}

/** Notes what the controller says of itself, until it ends or `signal` aborts. A push begins with its delivery. */
export async function observeController(
  controller: Pick<DemoController, 'url' | 'tokenFile'>,
  forge: Pick<Forge, 'waitForDelivery'>,
  timelines: Timelines,
  signal: AbortSignal,
): Promise<void> {
  const token = (await readFile(controller.tokenFile, 'utf8')).trim();
  const ask = (path: string) =>
    fetch(`${controller.url}/api/v1${path}`, {
      headers: { Authorization: `Bearer ${token}` },
      signal,
    });
  const get: Get = async (path) => asRecord(await (await ask(path)).json());
  const response = await ask('/events');
  const runs = new Map<string, RunView>();
  for await (const { event, data } of eventsOf(response)) {
    const at = Date.now();
    if (event === 'delivery') {
      const id = text(data['delivery']);
      const timeline = await beginWith(id, forge, timelines);
      timeline?.note('matched', text((await get(`/deliveries/${id}`))['summary']), at);
    } else if (event === 'run' || event === 'step') {
      const id = text(data['run']);
      const run = runs.get(id) ?? (await runOf(get, id));
      runs.set(id, run);
      if (event === 'run' && data['state'] === 'failed') {
        const reason = text((await get(`/runs/${id}`))['reason']);
        timelines.note(run.sha, 'failed', `run ${id}: ${reason}`, at);
      } else noteRun(event, data, run, at, timelines);
    }
  }
}

/** The timeline of the push that a delivery tells of; undefined for another event, and for a push that GitHub never told of. */
async function beginWith(
  id: string,
  forge: Pick<Forge, 'waitForDelivery'>,
  timelines: Timelines,
): Promise<Timeline | undefined> {
  const found = await forge.waitForDelivery((one) => one.id === id, 1000).catch(() => undefined);
  if (found?.event !== 'push') return undefined;
  const timeline = timelines.begin(text(asRecord(JSON.parse(found.body))['after']), found.at);
  timeline.note('202', 'webhook stored and answered', found.at + found.tookMs);
  return timeline;
}

function noteRun(
  event: 'run' | 'step',
  data: Record<string, unknown>,
  run: RunView,
  at: number,
  timelines: Timelines,
): void {
  const note = (...stage: [string, string, number]) => timelines.note(run.sha, ...stage);
  const state = text(data['state']);
  if (event === 'run' && state === 'running') note('running', `run ${run.id}`, at);
  else if (event === 'run' && state !== 'queued') note('ended', `run ${state}`, at);
  else if (event === 'step' && state === 'running') {
    note('checkout', 'commit checked out', at);
  } else if (event === 'step') {
    const name = run.steps[Number(data['step'])]?.name ?? `step ${Number(data['step']) + 1}`;
    note('step', `${name}: ${state}`, at);
  }
}

interface RunView {
  id: string;
  sha: string;
  steps: { name: string }[];
}

/** A JSON answer of the API. */
type Get = (path: string) => Promise<Record<string, unknown>>;

async function runOf(get: Get, id: string): Promise<RunView> {
  const { sha, steps } = await get(`/runs/${id}`);
  return { id, sha: text(sha), steps: steps as RunView['steps'] };
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html, as far as Mainsheet uses it. */
async function* eventsOf(response: Response): AsyncGenerator<ControllerEvent> {
  let pending = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    pending += decoder.decode(chunk as Uint8Array, { stream: true });
    const blocks = pending.split('\n\n');
    pending = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (event !== undefined && data !== undefined) {
        yield { event, data: JSON.parse(data) as Record<string, unknown> };
      }
    }
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
