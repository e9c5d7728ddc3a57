/** All that is wrong with a variable's value, at least one thing: each goes on where the variable's name ends. */
export class Wrong {
  readonly messages: readonly string[];

  constructor(messages: readonly string[]) {
    this.messages = messages;
  }
}

/** `what` is wrong, and what `todo` about it. */
export function wrong(what: string, todo: string): Wrong {
  return new Wrong([`${what}: ${todo}`]);
}

/** Several things that are wrong with one value, each said once. */
export function allWrong(mistakes: readonly Wrong[]): Wrong {
  return new Wrong([...new Set(mistakes.flatMap(({ messages }) => messages))]);
}

/** A value as it stands in a message: one line, cut when it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
