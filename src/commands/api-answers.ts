import * as z from 'zod';

/*
 * What the commands read of the API's answers. Not imported from http/: the server may be of another version than this program, so
 * answers are checked for what is needed here, and everything else in them is kept as it came for `--json`.
 */

const pageOf = <Item extends z.ZodType>(item: Item) =>
  z.looseObject({ items: z.array(item), next: z.string().nullable() });

const reasonsAnswer = z.array(
  z.looseObject({ condition: z.string(), held: z.boolean(), detail: z.string() }),
);

export const runAnswer = z.looseObject({
  id: z.string(),
  spec: z.string(),
  environment: z.string(),
  ref: z.string(),
  branch: z.string().nullable(),
  tag: z.string().nullable(),
  sha: z.string(),
  state: z.string(),
  /** What made it; an older server may not say. */
  cause: z.string().optional(),
  reason: z.string(),
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  finishedAt: z.string().nullable(),
});

export type RunAnswer = z.infer<typeof runAnswer>;

/** An older server does not pause. */
export const rolledBackAnswer = runAnswer.extend({
  paused: z.looseObject({ kind: z.string(), name: z.string() }).nullish(),
});

export type RolledBackAnswer = z.infer<typeof rolledBackAnswer>;

export const runDetailAnswer = runAnswer.extend({
  steps: z.array(
    z.looseObject({
      name: z.string().optional(),
      state: z.string().optional(),
      reason: z.string().optional(),
      startedAt: z.string().nullable(),
      finishedAt: z.string().nullable(),
    }),
  ),
});

export type RunDetailAnswer = z.infer<typeof runDetailAnswer>;

export const runsAnswer = pageOf(runAnswer);

export const specAnswer = z.looseObject({
  name: z.string(),
  repository: z.string(),
  environment: z.string(),
  lane: z.string(),
  events: z.array(z.string()),
  paused: z.looseObject({}).nullable(),
  installation: z.string().nullish(),
  file: z.string(),
});

export type SpecAnswer = z.infer<typeof specAnswer>;

export const specsAnswer = pageOf(specAnswer).extend({
  stale: z.boolean(),
  /** Not told by an older server. */
  source: z
    .looseObject({
      repository: z.string().nullable(),
      path: z.string().nullable(),
      commit: z.string().nullable(),
    })
    .nullish(),
});

export type SpecsAnswer = z.infer<typeof specsAnswer>;

const environmentAnswer = z.looseObject({
  environment: z.string(),
  spec: z.string(),
  run: z.string(),
  sha: z.string(),
  ref: z.string(),
  deployedAt: z.string(),
  removed: z.boolean().optional(),
});

export const environmentsAnswer = pageOf(environmentAnswer);

const deliveryAnswer = z.looseObject({
  id: z.string(),
  event: z.string(),
  repository: z.string().nullable(),
  state: z.string(),
  summary: z.string().nullable(),
  receivedAt: z.string(),
});

export const deliveriesAnswer = pageOf(deliveryAnswer);

const saysAnswer = z
  .array(z.looseObject({ key: z.string(), detail: z.string(), default: z.boolean().optional() }))
  .optional();

const pathsAnswer = z
  .looseObject({
    condition: z.string(),
    files: z.int(),
    counting: z.int(),
    compared: z.int(),
    rows: z.array(
      z.looseObject({ path: z.string(), by: z.string().nullable(), counts: z.boolean() }),
    ),
  })
  .nullish();

export const explanationAnswer = z.looseObject({
  delivery: z.string(),
  event: z.string(),
  state: z.string(),
  summary: z.string(),
  specs: z.array(
    z.looseObject({
      spec: z.string(),
      matched: z.boolean(),
      run: z.string().nullable(),
      runState: z.string().nullish(),
      runReason: z.string().nullish(),
      reasons: reasonsAnswer,
      says: saysAnswer,
      paths: pathsAnswer,
    }),
  ),
});

export const backtestAnswer = z.looseObject({
  since: z.string(),
  deliveries: z.number(),
  total: z.number(),
  differences: z.array(
    z.looseObject({
      delivery: z.string(),
      repository: z.string(),
      ref: z.string().nullable(),
      sha: z.string().nullable(),
      spec: z.string(),
      would: z.boolean(),
      reasons: reasonsAnswer,
      certain: z.boolean(),
    }),
  ),
});

export type BacktestAnswer = z.infer<typeof backtestAnswer>;

export const backtestProgress = z.looseObject({ deliveries: z.int(), share: z.number() });

export type BacktestProgress = z.infer<typeof backtestProgress>;

export const whyAnswer = z.looseObject({
  repository: z.string(),
  sha: z.string(),
  specs: z.array(
    z.looseObject({
      spec: z.string(),
      environment: z.string(),
      fate: z.string(),
      summary: z.string(),
      hint: z.string().nullable(),
      paths: pathsAnswer,
      says: saysAnswer,
    }),
  ),
});

export type WhyAnswer = z.infer<typeof whyAnswer>;

export const replayAnswer = z.looseObject({ summary: z.string(), runs: z.array(runAnswer) });

export const pauseAnswer = z.looseObject({
  kind: z.string(),
  name: z.string(),
  since: z.string(),
  by: z.string().nullable(),
  reason: z.string(),
});

export type PauseAnswer = z.infer<typeof pauseAnswer>;

export const pausesAnswer = pageOf(pauseAnswer);

export const previewsAnswer = pageOf(
  z.looseObject({
    spec: z.string(),
    repository: z.string(),
    number: z.number(),
    state: z.string(),
    reason: z.string().nullable(),
    sha: z.string(),
    url: z.string().nullable(),
    since: z.string(),
    until: z.string(),
  }),
);

export type PreviewsAnswer = z.infer<typeof previewsAnswer>;

/** `runs`: those that wait because of it, or waited. */
export const pausedAnswer = pauseAnswer.extend({ runs: z.array(runAnswer) });

export type PausedAnswer = z.infer<typeof pausedAnswer>;

export const callbackAnswer = z.looseObject({
  id: z.string(),
  run: z.string().nullable(),
  kind: z.string(),
  state: z.string(),
  tells: z.string(),
  attempts: z.int(),
  error: z.string().nullable(),
});

export type CallbackAnswer = z.infer<typeof callbackAnswer>;

export const outboxAnswer = pageOf(callbackAnswer);

export const loginLinkAnswer = z.looseObject({ path: z.string(), expiresAt: z.string() });

export const resendAllAnswer = z.looseObject({ retried: z.int() });

export const readinessAnswer = z.looseObject({
  status: z.string(),
  checks: z.record(
    z.string(),
    z.looseObject({
      ok: z.boolean(),
      detail: z.string().optional(),
      problems: z.array(z.string()).optional(),
    }),
  ),
});

/** RFC 9457 as Mainsheet fills it in. */
export const problemAnswer = z.looseObject({
  code: z.string(),
  detail: z.string(),
  hint: z.string().optional(),
});

export const logEvent = z.looseObject({
  seq: z.int(),
  at: z.string(),
  step: z.int().optional(),
  text: z.string(),
});

const stateAndWhy = z.looseObject({
  id: z.string(),
  sha: z.string(),
  state: z.string(),
  reason: z.string(),
});

const placeAnswer = z.looseObject({
  spec: z.string(),
  repository: z.string(),
  environment: z.string(),
  state: z.string(),
  paused: z.looseObject({ by: z.string().nullable(), reason: z.string() }).nullable(),
  deployed: z
    .looseObject({
      sha: z.string(),
      title: z.string().nullable(),
      author: z.string().nullable(),
      deployedAt: z.string(),
    })
    .nullable(),
  active: z.array(stateAndWhy),
  last: stateAndWhy.nullable(),
});

export type PlaceAnswer = z.infer<typeof placeAnswer>;

export const overviewAnswer = z.looseObject({
  at: z.string(),
  places: z.array(placeAnswer),
  running: z.array(
    z.looseObject({
      run: z.string(),
      sha: z.string(),
      elapsedMs: z.number(),
      usualMs: z.number().nullable(),
      step: z.looseObject({ index: z.int(), name: z.string() }).nullable(),
      steps: z.int(),
    }),
  ),
  blocked: z.array(
    z.looseObject({
      run: z.string(),
      sha: z.string(),
      reason: z.string(),
      gates: z.array(z.looseObject({ detail: z.string() })),
    }),
  ),
  rolledBack: z.array(
    z.looseObject({
      spec: z.string(),
      environment: z.string(),
      sha: z.string(),
      by: z.string().nullable(),
      reason: z.string().nullable(),
    }),
  ),
  dead: z.array(z.looseObject({ error: z.string().nullable() })),
  problems: z.array(z.looseObject({ file: z.string(), line: z.int(), message: z.string() })),
});

export type OverviewAnswer = z.infer<typeof overviewAnswer>;

export const endEvent = z.looseObject({ state: z.string() });

const hookAnswer = z.looseObject({
  id: z.string(),
  path: z.string(),
  hook: z.string(),
  owner: z.string(),
  specs: z.array(z.string()),
  expiresAt: z.string(),
});

export const hooksAnswer = pageOf(hookAnswer).extend({
  configured: z.array(
    z.looseObject({
      id: z.string(),
      sender: z.string(),
      server: z.string().nullish(),
      specs: z.array(z.string()),
      file: z.string(),
      line: z.int(),
    }),
  ),
});

export const madeHookAnswer = hookAnswer.extend({ secret: z.string() });

export const deletedHookAnswer = z.looseObject({ deleted: z.string() });

export const hookTrialAnswer = z.looseObject({
  refused: z.string().nullable(),
  inputs: z.record(z.string(), z.unknown()),
  specs: z.array(
    z.object({
      spec: z.string(),
      matched: z.boolean(),
      reasons: z.array(z.object({ condition: z.string(), held: z.boolean(), detail: z.string() })),
    }),
  ),
});

export type HooksAnswer = z.infer<typeof hooksAnswer>;
export type HookAnswer = z.infer<typeof hookAnswer>;
export type HookTrialAnswer = z.infer<typeof hookTrialAnswer>;
