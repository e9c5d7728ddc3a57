/** In-process news: who listens is told, who does not has lost nothing, because the store holds the truth. */
export interface Broadcast<News> {
  publish(news: News): void;
  /** Returns how to stop listening. */
  subscribe(listener: (news: News) => void): () => void;
}

export function createBroadcast<News>(): Broadcast<News> {
  const listeners = new Set<(news: News) => void>();
  return {
    publish(news) {
      for (const listener of listeners) listener(news);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
