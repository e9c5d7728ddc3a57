import type { RunState } from './run.ts';

/** What the parts of one process tell each other, so that none has to ask in a loop. The store holds the truth. */
export type News =
  | { kind: 'delivery'; delivery: string; repository: string | undefined }
  | { kind: 'run'; run: string; state: RunState; spec: string }
  | { kind: 'step'; run: string; step: number; state: string }
  | { kind: 'log'; run: string }
  | { kind: 'callback'; entry: number; run: string; state: string }
  /** What people may do in a repository, or in any, has changed. */
  | { kind: 'access'; repository: string | undefined }
  | { kind: 'specs'; count: number; stale: boolean };
