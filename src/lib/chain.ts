/** A place in a chain. */
export interface Link<Value> {
  value: Value | undefined;
  before: Link<Value> | undefined;
  after: Link<Value> | undefined;
}

/** Values in the order in which they came. */
export interface Chain<Value> extends Iterable<Value> {
  readonly size: number;
  first(): Value | undefined;
  add(value: Value): Link<Value>;
  /** Takes a value out; false when it was out already. */
  remove(link: Link<Value>): boolean;
}

/**
 * For what comes and goes thousands of times a second, where a Set would keep memory: its tables of before point to those of
 * after, and once one of them is old, V8 holds all that was ever in the later ones until it next collects everything.
 */
export function createChain<Value>(): Chain<Value> {
  const end: Link<Value> = { value: undefined, before: undefined, after: undefined };
  end.before = end;
  end.after = end;
  let size = 0;
  return {
    get size() {
      return size;
    },
    first: () => end.after?.value,
    add(value) {
      const link = { value, before: end.before, after: end };
      if (end.before !== undefined) end.before.after = link;
      end.before = link;
      size += 1;
      return link;
    },
    remove(link) {
      const { before, after } = link;
      if (before === undefined || after === undefined) return false;
      before.after = after;
      after.before = before;
      link.value = undefined;
      link.before = undefined;
      link.after = undefined;
      size -= 1;
      return true;
    },
    *[Symbol.iterator]() {
      // The next one is found before this one may be taken out.
      for (let link = end.after; link !== undefined && link !== end;) {
        const { value, after } = link;
        if (value !== undefined) yield value;
        link = after;
      }
    },
  };
}
