/**
 * Something the world outside is to hear of, as it stands in the outbox: JSON that only its kind in `src/callbacks` reads. Never
 * holds a secret.
 */
export interface Callback {
  kind: string;
}

/** What the other side answered when a callback arrived; never more than its kind of answer needs. */
export interface Answered {
  /** HTTP status. */
  status?: number;
  /** Number of what GitHub has made or changed. */
  id?: string;
  /** Where that is to be seen: https, without a query. */
  url?: string;
}
