import type { Form } from '../form.ts';

/** How one kind of notification is written. How it is sent is in the file of the same name in `src/callbacks`. */
export interface NotifyForm extends Form {
  /** One as it is written, for those whose form is not easily guessed. */
  example?: string;
  /** The kind of entry that is told of all states of runs where the spec does not say of which; others are told that a run has succeeded. */
  followsRuns?: string;
}
