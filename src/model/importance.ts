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

/** Writes to GitHub of one account and importance: `count` of them within the second `second` (since the epoch). */
export interface Written {
  importance: Importance;
  second: number;
  count: number;
}

/** Writes that a process did not know of, and the number of the last one. */
export interface WritesSeen {
  upTo: number;
  writes: Written[];
}

/** The writes to GitHub of the last hours, whatever process made them. They are noted before they are made. */
export interface WriteLog {
  /**
   * Tells `decide` which writes of the account came after number `seen`, and notes what it allows. Returns the number of what was
   * noted. For an account one process at a time gets here, so what `decide` knows is the whole truth while it decides.
   */
  reserve(
    account: string,
    seen: number,
    decide: (news: WritesSeen) => { at: number; importance: Importance } | undefined,
  ): Promise<number | undefined>;
  /** The account's writes after number `seen`. */
  after(account: string, seen: number): Promise<WritesSeen>;
  /** Every account that has writes. */
  accounts(): Promise<string[]>;
  /** Removes what was noted before that time. */
  forget(before: number): Promise<void>;
}
