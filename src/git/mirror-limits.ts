/** What bounds the work on a mirror. */
export interface MirrorLimits {
  /** Longest time for a fetch, in milliseconds. */
  fetchTimeoutMs: number;
  /** Longest time for any other call, in milliseconds. */
  queryTimeoutMs: number;
  /** How long a stopped git has to clean up before it is killed, in milliseconds. */
  killAfterMs: number;
  /** From this number of packs on, they are put together: each makes every look-up slower. */
  maxPacks: number;
  /** Most names that `changedPaths` returns. */
  maxPaths: number;
  /** Most bytes that are read from one call. */
  maxBytes: number;
}

/** What holds when nobody says otherwise. */
export const MIRROR_LIMITS: MirrorLimits = {
  fetchTimeoutMs: 10 * 60_000,
  queryTimeoutMs: 2 * 60_000,
  killAfterMs: 5000,
  maxPacks: 30,
  maxPaths: 300_000,
  maxBytes: 64 * 1024 * 1024,
};
