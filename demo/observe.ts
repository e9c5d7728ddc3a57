import { readFile } from 'node:fs/promises';
import type { DemoController } from './controller.ts';
import type { Forge, JournalEntry } from './forge.ts';
import type { Timeline } from './timeline.ts';

/** What the controller's event stream says: see `GET /api/v1/events`. */
interface ControllerEvent {
  event: string;
  data: Record<string, unknown>;
}

/** Notes what GitHub's side sees: each request of the controller as it is answered. Runs until `signal` aborts. */
export async function observeForge(
  forge: Pick<Forge, 'journal' | 'waitFor'>,
  timeline: Timeline,
  signal: AbortSignal,
): Promise<void> {
  let seen = 0;
  while (!signal.aborted) {
    const known = seen;
    await forge.waitFor(() => forge.journal.length > known, 3_600_000).catch(() => undefined);
    for (; seen < forge.journal.length; seen += 1) {
      const entry = forge.journal[seen];
      if (entry !== undefined) noteRequest(entry, timeline);
    }
  }
}

function noteRequest({ method, path, body, status }: JournalEntry, timeline: Timeline): void {
  // Entries come when they are answered, and in that order they are shown.
  const at = Date.now();
  if (method !== 'POST' || status < 200 || status > 299) return;
  const [state, context, type, environment] = ['state', 'context', 'event_type', 'environment'].map(
    (name) => text(asRecord(body)[name]),
  );
  if (/\/statuses\/[0-9a-f]{40}$/.test(path)) {
    timeline.note(`status ${state}`, `commit status ${context}: ${state}`, at);
  } else if (/\/deployments\/\d+\/statuses$/.test(path)) {
    timeline.note(`deployment ${state}`, `Deployment: ${state}`, at);
  } else if (path.endsWith('/deployments')) {
    timeline.note('deployment created', `Deployment to ${environment} created`, at);
  } else if (path.endsWith('/dispatches')) {
    timeline.note('dispatch', `${path.split('/').slice(2, 4).join('/')}: ${type}`, at);
  }
}

/** Notes what the controller says of itself, until it ends or `signal` aborts. `steps` are the steps' names. */
export async function observeController(
  controller: Pick<DemoController, 'url' | 'tokenFile'>,
  timeline: Timeline,
  signal: AbortSignal,
): Promise<void> {
  const token = (await readFile(controller.tokenFile, 'utf8')).trim();
  const ask = (path: string) =>
    fetch(`${controller.url}/api/v1${path}`, {
      headers: { Authorization: `Bearer ${token}` },
      signal,
    });
  const response = await ask('/events');
  let steps: string[] = [];
  for await (const { event, data } of eventsOf(response)) {
    const at = Date.now();
    if (event === 'delivery') {
      const delivery = await ask(`/deliveries/${text(data['delivery'])}`);
      timeline.note('matched', text(asRecord(await delivery.json())['summary']), at);
    } else if (event === 'run') {
      const state = text(data['state']);
      if (state === 'running') {
        timeline.note('running', `run ${text(data['run'])}`, at);
        const run = await ask(`/runs/${text(data['run'])}`);
        steps = ((await run.json()) as { steps: { name: string }[] }).steps.map(({ name }) => name);
      } else if (state !== 'queued') {
        timeline.note('ended', `run ${state}`, at);
      }
    } else if (event === 'step') {
      const name = steps[Number(data['step'])] ?? `step ${Number(data['step']) + 1}`;
      if (data['state'] === 'running') timeline.note('checkout', 'commit checked out', at);
      else timeline.note('step', `${name}: ${text(data['state'])}`, at);
    }
  }
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
