/** What is wrong with a variable's value: it goes on where the variable's name ends. */
export class Wrong {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** `what` is wrong, and what `todo` about it. */
export function wrong(what: string, todo: string): Wrong {
  return new Wrong(`${what}: ${todo}`);
}

/** A value as it stands in a message: one line, cut when it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
