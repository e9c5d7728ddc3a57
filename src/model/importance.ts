/**
 * What goes first when GitHub does not take everything that is to be said; a lower number goes before a higher one. Stored with
 * each callback.
 */
export const IMPORTANCE = {
  /** The commit status with which the newest run of its lane ended. */
  final: 0,
  /** The same for an older run of the lane. */
  olderFinal: 1,
  /** What a spec's `notify` sends. */
  notification: 2,
  /** The status with which a Deployment ends, and then its creation too. */
  deployment: 3,
  /** Making the Deployment of a run that goes on. */
  creation: 4,
  /** What a later state makes pointless. */
  intermediate: 5,
} as const;

export type Importance = (typeof IMPORTANCE)[keyof typeof IMPORTANCE];

/** Most important first. */
export const IMPORTANCES: readonly Importance[] = Object.values(IMPORTANCE);

/** Callbacks that are not to be claimed now: those of `account` (undefined: of every account) from `importance` on. */
export interface Hold {
  account: string | undefined;
  importance: Importance;
}

/** Writes to GitHub that the store remembers: `count` of them within the second `second` (since the epoch). */
export interface Written {
  account: string;
  importance: Importance;
  second: number;
  count: number;
}
