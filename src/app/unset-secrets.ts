import type { Logger } from '../lib/logger.ts';
import type { Catalog } from '../spec/catalog.ts';

/** So many are named in a line of the log. */
const MOST_NAMES = 50;

/**
 * Warns of secrets that specs and hooks in use name and that have no value, now and when others are missing after a change of the specs: their runs would
 * fail, and the hooks refuse all requests.
 */
export function warnOfUnsetSecrets(deps: {
  catalog: Pick<Catalog, 'current' | 'hooks' | 'onChange'>;
  secret: (name: string) => string | undefined;
  logger: Pick<Logger, 'warn'>;
}): void {
  const { catalog, secret, logger } = deps;
  let said = '';
  const look = () => {
    const named = [
      ...catalog.current().specs.flatMap(({ spec }) => spec.secrets),
      ...catalog.hooks().flatMap(({ hook }) => hook.secrets.map(({ name }) => name)),
    ];
    const missing = [...new Set(named)].filter((name) => secret(name) === undefined);
    const [first] = missing;
    const isSaid = missing.join() === said;
    said = missing.join();
    if (first === undefined || isSaid) return;
    logger.warn(
      {
        secrets: missing.slice(0, MOST_NAMES),
        hint: `set MAINSHEET_SECRET_${first}, or put a file ${first} into MAINSHEET_SECRETS_DIR`,
      },
      'specs or hooks name secrets that are not set',
    );
  };
  look();
  catalog.onChange(look);
}
