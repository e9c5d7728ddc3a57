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

/** Whether it ends a run: everything else gives way to it. */
export const isEnd = (importance: Importance): boolean => importance <= IMPORTANCE.olderFinal;

/** How many writes to GitHub of one account may have arrived there in the last minute and hour. */
export interface WriteCounts {
  minute: number;
  hour: number;
  /** Those of them that ended a run, also in the last ten minutes and half-hour. */
  ends: { minute: number; tenMinutes: number; halfHour: number; hour: number };
}

/** Of an account that has written nothing. */
export const NO_WRITES: WriteCounts = {
  minute: 0,
  hour: 0,
  ends: { minute: 0, tenMinutes: 0, halfHour: 0, hour: 0 },
};

/** The writes to GitHub of the last hour, whatever process made them. They are noted before they are made. */
export interface WriteLog {
  /**
   * Shows `decide` what the account has written until now and notes the writes that it answers. For an account one process at a time
   * gets here, so the counts are the whole truth while it decides. `now`: milliseconds since the epoch, read when its turn has come.
   */
  reserve(
    account: string,
    now: () => number,
    decide: (counts: WriteCounts) => readonly Importance[],
  ): Promise<void>;
  /** Of every account that has writes. */
  counts(now: number): Promise<Map<string, WriteCounts>>;
  /** Removes what counts neither now nor later. */
  forget(now: number): Promise<void>;
}
