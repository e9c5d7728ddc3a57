import { AsyncLocalStorage } from 'node:async_hooks';

const origins = new AsyncLocalStorage<string>();

/** Does something that a person asked for, and knows from where: `dashboard, 192.0.2.7`. */
export function withOrigin<Answer>(origin: string, work: () => Answer): Answer {
  return origins.run(origin, work);
}

/** From where the person asked for what is being done; undefined for what was asked for elsewhere, as on GitHub. */
export function currentOrigin(): string | undefined {
  return origins.getStore();
}
