/**
 * Something the world outside is to hear of, as it stands in the outbox: JSON that only its kind in `src/callbacks` reads. Never
 * holds a secret.
 */
export interface Callback {
  kind: string;
}
