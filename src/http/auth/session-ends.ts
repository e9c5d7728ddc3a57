/** Sessions of which something still goes on are looked at this often, all in one query. */
const LOOK_MS = 10_000;

/** Tells answers that take long that their session has ended: within ten seconds, and at once where `look` is asked for. */
export interface SessionEnds {
  /** Calls `ended` when the session is no more. Returns how to stop. */
  follow(digest: string, ended: () => void): () => void;
  look(): void;
}

/** `alive`: those of these sessions that are good now. While it fails nothing ends. */
export function createSessionEnds(
  alive: (digests: readonly string[]) => Promise<ReadonlySet<string>>,
): SessionEnds {
  const followers = new Map<string, Set<() => void>>();
  let timer: NodeJS.Timeout | undefined;

  async function lookNow(): Promise<void> {
    const digests = [...followers.keys()];
    if (digests.length === 0) return;
    const good = await alive(digests);
    for (const digest of digests) {
      if (!good.has(digest)) for (const ended of followers.get(digest) ?? []) ended();
    }
  }
  const look = () => void lookNow().catch(() => undefined);

  return {
    follow(digest, ended) {
      const own = followers.get(digest) ?? new Set();
      // The same function may be given twice.
      const end = () => ended();
      followers.set(digest, own.add(end));
      timer ??= setInterval(look, LOOK_MS).unref();
      return () => {
        own.delete(end);
        if (own.size === 0 && followers.get(digest) === own) followers.delete(digest);
        if (followers.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      };
    },
    look,
  };
}
