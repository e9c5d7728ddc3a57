import { createHash } from 'node:crypto';
import type { Delivery } from '../model/delivery.ts';
import type { Json } from '../model/event.ts';
import { hasEnded, type Run, type RunState, type Step, type StepState } from '../model/run.ts';
import { callbackKind } from './kind.ts';
import { wellFormed } from './fields.ts';
import { postJson } from './post.ts';

/** Where spans go: a collector that takes OTLP over HTTP. */
export interface TraceTarget {
  url: string;
  headers: Record<string, string>;
  /** `service.name` of the spans. */
  service: string;
}

interface Trace {
  kind: 'trace';
  /** The run. */
  run: string;
}

interface Rendered {
  kind: 'trace';
  url: string;
  headers: Record<string, string>;
  body: Json;
}

/** https://github.com/open-telemetry/opentelemetry-proto/blob/v1.9.0/opentelemetry/proto/trace/v1/trace.proto#L153 */
const SPAN_KIND = { internal: 1, server: 2 } as const;
const STATUS = { ok: 1, error: 2 } as const;

/** https://opentelemetry.io/docs/specs/semconv/registry/attributes/cicd/ */
const RESULTS: Partial<Record<RunState | StepState, string>> = {
  succeeded: 'success',
  failed: 'failure',
  cancelled: 'cancellation',
  superseded: 'skip',
  skipped: 'skip',
};

/**
 * The spans of an ended run for OpenTelemetry: the delivery, the wait, the run and its steps. All runs of one delivery are in one
 * trace, whose number follows from the delivery's id, so that a repetition has the same numbers. Made of what is stored: none is lost
 * with a process. JSON of OTLP 1: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 */
export const trace = callbackKind<Trace, Rendered>({
  kind: 'trace',
  due: ({ run, traced }) =>
    traced === true && hasEnded(run.state) ? [{ kind: 'trace', run: run.id }] : [],
  target: ({ run }) => `trace:${run}`,
  tells: () => 'ended',
  waitsForOtherRuns: true,

  async render({ run: id }, _entry, { store, traces }) {
    const run = await store.runs.get(id);
    if (run === undefined || traces === undefined) {
      throw new TypeError('there is nothing to trace, or no OTEL_EXPORTER_OTLP_ENDPOINT any more');
    }
    const found = await store.inbox.get(run.delivery);
    const steps = await store.steps.ofRun(id);
    const spans = spansOf(run, steps, found?.delivery);
    return {
      kind: 'trace',
      url: traces.url,
      headers: traces.headers,
      body: wellFormed({
        resourceSpans: [
          {
            resource: { attributes: attributes({ 'service.name': traces.service }) },
            scopeSpans: [{ scope: { name: 'mainsheet' }, spans }],
          },
        ],
      }),
    };
  },

  async send({ url, headers, body }, way) {
    await postJson({ url, headers, body: JSON.stringify(body) }, way);
    return {};
  },
});

function spansOf(run: Run, steps: readonly Step[], delivery: Delivery | undefined): Json[] {
  const traceId = idOf(32, run.delivery);
  const root = idOf(16, 'delivery', run.delivery);
  const own = idOf(16, 'run', run.id);
  const end = run.finishedAt ?? run.createdAt;
  const common = { traceId, kind: SPAN_KIND.internal };
  const ran = steps.filter((step) => step.startedAt !== undefined);
  return [
    ...(delivery === undefined
      ? []
      : [
          {
            ...common,
            kind: SPAN_KIND.server,
            spanId: root,
            name: `delivery ${delivery.event}`,
            ...between(delivery.receivedAt, delivery.processedAt ?? run.createdAt),
            attributes: attributes({
              'mainsheet.delivery': delivery.id,
              'vcs.repository.name': delivery.repository,
            }),
          },
        ]),
    {
      ...common,
      spanId: own,
      ...(delivery === undefined ? {} : { parentSpanId: root }),
      name: `run ${run.spec}`,
      ...between(run.createdAt, end),
      status: statusOf(run.state, run.reason),
      attributes: attributes({
        'cicd.pipeline.name': run.spec,
        'cicd.pipeline.run.id': run.id,
        'cicd.pipeline.result': RESULTS[run.state],
        'deployment.environment.name': run.environment,
        'vcs.repository.name': run.repository,
        'vcs.ref.head.name': run.branch ?? run.tag ?? run.ref,
        'vcs.ref.head.revision': run.sha,
        'mainsheet.cause': run.cause,
      }),
    },
    {
      ...common,
      spanId: idOf(16, 'wait', run.id),
      parentSpanId: own,
      name: 'wait',
      ...between(run.createdAt, run.startedAt ?? end),
    },
    ...ran.map((step) => ({
      ...common,
      spanId: idOf(16, 'step', run.id, String(step.index)),
      parentSpanId: own,
      name: `step ${step.name}`,
      ...between(step.startedAt ?? end, step.finishedAt ?? end),
      status: statusOf(step.state, step.reason),
      attributes: attributes({
        'cicd.pipeline.task.name': step.name,
        'cicd.pipeline.task.run.id': `${run.id}/${step.index + 1}`,
        'cicd.pipeline.task.run.result': RESULTS[step.state],
      }),
    })),
  ];
}

/** `digits` of hex. */
function idOf(digits: number, ...parts: string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, digits);
}

/** Nanoseconds, as text: they do not fit into a number. A clock may have been set back meanwhile. */
function between(start: number, end: number) {
  return {
    startTimeUnixNano: `${start}000000`,
    endTimeUnixNano: `${Math.max(start, end)}000000`,
  };
}

function statusOf(state: RunState | StepState, message: string): Json {
  if (state === 'succeeded') return { code: STATUS.ok };
  return state === 'failed' ? { code: STATUS.error, message } : {};
}

function attributes(values: Record<string, string | undefined>): Json[] {
  return Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: { stringValue: value } }],
  );
}
