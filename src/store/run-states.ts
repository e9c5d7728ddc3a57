import { sql } from 'kysely';
import type { RunState } from '../model/run.ts';

// Literals and not parameters: with parameters SQLite cannot use the indexes of active runs.
export const QUEUED = sql.lit('queued' as const);
export const RUNNING = sql.lit('running' as const);
export const BLOCKED = sql.lit('blocked' as const);
export const ACTIVE = sql<RunState>`('queued', 'blocked', 'running')`;
export const ENDED = sql<RunState>`('succeeded', 'failed', 'cancelled', 'superseded')`;
