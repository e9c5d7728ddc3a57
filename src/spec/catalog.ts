import { createHash } from 'node:crypto';
import { watch as watchDirectory } from 'node:fs';
import { basename } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { describeError } from '../lib/errors.ts';
import type { Logger } from '../lib/logger.ts';
import type { GitServers } from '../lib/servers.ts';
import type { StepLimits } from '../lib/step-limits.ts';
import type { LoadedHook } from '../model/hook.ts';
import type { LoadedSpec } from '../model/deployment-spec.ts';
import { listSpecFiles, type Listing } from './files.ts';
import { loadListing, type Loaded, type ParsedFiles } from './load.ts';
import { openSealedFiles } from './sealed-files.ts';
import { formatProblem, problemAt, type SpecProblem } from './problem.ts';

/** Where specs are from. */
export interface SpecsSource {
  /** Undefined for a directory. */
  repository: string | undefined;
  /** Below the repository's root, empty for the root; of a directory its name. */
  path: string;
  /** Its full name; undefined for a directory, and where it is not known. */
  commit: string | undefined;
}

export interface CatalogState {
  /** The last set that was valid as a whole; empty when there was none yet. */
  specs: readonly LoadedSpec[];
  /** What is wrong with the files as they are now. */
  problems: readonly SpecProblem[];
  /** Of `specs`, and not of what is wrong; undefined when there was no valid set yet. */
  source?: SpecsSource | undefined;
  /** When `specs` was read, in milliseconds since the epoch; 0 when there was no valid set yet. */
  loadedAt: number;
  /** The files are not what `specs` says: they are broken, or were not read yet. */
  stale: boolean;
}

/** The live set of specs. Either all files are valid and in use, or the last valid set stays; also when none is left. */
export interface Catalog {
  current(): CatalogState;
  /** Specs of one repository, however its name is written. */
  forRepository(repository: string): readonly LoadedSpec[];
  byName(name: string): LoadedSpec | undefined;
  /** Specs that a hook can start. */
  forHook(id: string): readonly LoadedSpec[];
  hook(id: string): LoadedHook | undefined;
  /** The hooks of the set in use. */
  hooks(): readonly LoadedHook[];
  /** The value of a secret that stands encrypted beside the specs. */
  secret(name: string): string | undefined;
  /** Reads the files now. Never throws: what is wrong is in the state. */
  reload(): Promise<CatalogState>;
  /** Reloads when the files change, until the signal aborts. */
  watch(signal: AbortSignal): void;
  /** Called after each change of the state; returns how to stop that. */
  onChange(listener: (state: CatalogState) => void): () => void;
}

export interface CatalogDeps {
  directory: string;
  /** From where the directory is checked out; a directory that is not there is then not for people to make. */
  repository?: string;
  /** Below the repository's root. */
  path?: string;
  /** Which commit stands in the directory. */
  commit?: () => Promise<string | undefined>;
  /** Keys that open encrypted secrets: `AGE-SECRET-KEY-…`. */
  identities?: readonly string[];
  /** What steps may ask for at most. */
  stepLimits?: StepLimits;
  /** Undefined: those of other servers than GitHub are not looked at. */
  servers?: GitServers;
  /** What is wrong with secrets of hooks; `sealed` gives those that stand encrypted beside the specs. */
  checkSecrets?: (
    hooks: readonly LoadedHook[],
    sealed: (name: string) => string | undefined,
  ) => SpecProblem[];
  logger: Logger;
  clock: Clock;
  /** Milliseconds between looks where the system does not tell of changes, as on network volumes. */
  pollMs?: number;
  /** Milliseconds that a change is given to be whole. */
  settleMs?: number;
}

const NO_SPEC =
  'put a spec into the directory ("mainsheet init", in a clone of what is to be deployed, proposes one), or set MAINSHEET_DEPLOYMENTS to where yours are';

const WHY = 'the log says why, in the lines with the loop "specs"';

interface Index {
  byRepository: Map<string, LoadedSpec[]>;
  byName: Map<string, LoadedSpec>;
  byHook: Map<string, LoadedSpec[]>;
  hooks: Map<string, LoadedHook>;
  secrets: ReadonlyMap<string, string>;
}

export function createCatalog(deps: CatalogDeps): Catalog {
  const { directory, logger, clock, pollMs = 15_000, settleMs = 100 } = deps;
  const listeners = new Set<(state: CatalogState) => void>();
  let state: CatalogState = { specs: [], problems: [], loadedAt: 0, stale: true };
  let index = indexOf([], [], new Map());
  const parsed: ParsedFiles = new Map();
  /** What the files looked like when they were last read. */
  let seen: string | undefined;
  /** One load at a time, in the order in which they were asked for. */
  let queue: Promise<unknown> = Promise.resolve();

  async function load(onlyWhenChanged: boolean): Promise<CatalogState> {
    const from = await source();
    const listing = await listSpecFiles(directory);
    const looks = marksOf(listing);
    // What could not be read may be readable again without any file looking different.
    if (onlyWhenChanged && looks === seen && !state.stale) return state;
    const { stepLimits: allowed, servers } = deps;
    const loaded = await loadListing(listing, { allowed, servers, parsed });
    const sealed = await openSealedFiles(listing.sealed, deps.identities ?? []);
    const first = seen === undefined;
    seen = looks;
    const print = fingerprint(state, index);
    const problems = isGone(loaded)
      ? [gone(state.specs.length)]
      : [
          ...loaded.problems.map(named),
          ...sealed.problems,
          ...(deps.checkSecrets?.(loaded.hooks, (name) => sealed.secrets.get(name)) ?? []),
        ];
    if (problems.length === 0) {
      const { specs, hooks } = loaded;
      state = { specs, problems: [], loadedAt: clock.now(), stale: false, source: from };
      const all = [...loaded.warnings, ...sealed.warnings];
      if (all.length > 0) {
        const warnings = all.slice(0, 50).map(formatProblem);
        logger.warn({ warnings }, 'deployment specs have what is hardly meant');
      }
      index = indexOf(specs, hooks, sealed.secrets);
    } else {
      state = { ...state, problems, stale: true };
    }
    if (first || fingerprint(state, index) !== print) announce();
    return state;
  }

  async function source(): Promise<SpecsSource> {
    const { repository } = deps;
    if (repository === undefined) {
      return { repository, path: basename(directory), commit: undefined };
    }
    return { repository, path: deps.path ?? '', commit: await deps.commit?.() };
  }

  /** A volume that is not mounted, or a copy under way, is likelier than the wish to deploy nothing any more. */
  function isGone({ specs, problems }: Loaded): boolean {
    return specs.length === 0 && problems.length === 0 && state.specs.length > 0;
  }

  /** The directory of a checkout says nothing to people: what is wrong with it is the repository's. */
  function named(problem: SpecProblem): SpecProblem {
    const { repository } = deps;
    return repository === undefined || problem.file !== directory
      ? problem
      : { ...problem, file: repository, message: 'its specs are not checked out yet', hint: WHY };
  }

  function announce(): void {
    if (state.stale) {
      logger.error(
        { problems: state.problems.slice(0, 50).map(formatProblem), count: state.problems.length },
        state.specs.length > 0
          ? 'deployment specs are broken; the last valid set stays in use'
          : 'deployment specs are broken; none is in use',
      );
    } else if (state.specs.length === 0) {
      logger.warn(
        { directory, hint: NO_SPEC },
        'there is no deployment spec: nothing will be deployed',
      );
    } else {
      logger.info(
        { count: state.specs.length, digest: digestOf(state.specs) },
        'deployment specs loaded',
      );
    }
    for (const listener of listeners) {
      try {
        listener(state);
      } catch (error) {
        logger.error({ reason: describeError(error) }, 'a listener for deployment specs failed');
      }
    }
  }

  function enqueue(onlyWhenChanged: boolean): Promise<CatalogState> {
    const result = queue.then(() => load(onlyWhenChanged));
    queue = result.catch(() => undefined);
    return result;
  }

  async function follow(signal: AbortSignal): Promise<void> {
    let changed = new AbortController();
    listen(directory, signal, logger, () => changed.abort());
    while (!signal.aborted) {
      await clock.sleep(pollMs, AbortSignal.any([signal, changed.signal]));
      if (signal.aborted) return;
      if (changed.signal.aborted) {
        // Editors and volume swaps touch several files: wait for the dust to settle.
        await clock.sleep(settleMs, signal);
        changed = new AbortController();
      }
      await enqueue(true);
    }
  }

  return {
    current: () => state,
    forRepository: (repository) => index.byRepository.get(repository.toLowerCase()) ?? [],
    byName: (name) => index.byName.get(name),
    forHook: (id) => index.byHook.get(id) ?? [],
    hook: (id) => index.hooks.get(id),
    hooks: () => [...index.hooks.values()],
    secret: (name) => index.secrets.get(name),
    reload: () => enqueue(false),
    watch(signal) {
      follow(signal).catch((error: unknown) => {
        logger.error(
          { directory, reason: describeError(error), hint: 'restart to have changes read again' },
          'deployment specs are no longer watched',
        );
      });
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Tells of changes as far as the system does; where it cannot, polling alone has to do. */
function listen(directory: string, signal: AbortSignal, logger: Logger, changed: () => void): void {
  try {
    const watcher = watchDirectory(directory, { recursive: true, persistent: false, signal });
    watcher.on('change', changed);
    watcher.on('error', (error) => {
      if (!signal.aborted) {
        logger.debug({ reason: describeError(error) }, 'the deployments directory is polled only');
      }
    });
  } catch (error) {
    logger.debug({ reason: describeError(error) }, 'the deployments directory is polled only');
  }
}

function indexOf(
  specs: readonly LoadedSpec[],
  hooks: readonly LoadedHook[],
  secrets: Index['secrets'],
): Index {
  const byRepository = Map.groupBy(specs, (loaded) => loaded.spec.repository.toLowerCase());
  const byHook = new Map<string, LoadedSpec[]>();
  for (const loaded of specs) {
    for (const { id } of loaded.spec.on.hooks ?? []) {
      byHook.set(id, [...(byHook.get(id) ?? []), loaded]);
    }
  }
  return {
    byRepository,
    byName: new Map(specs.map((loaded) => [loaded.spec.name, loaded])),
    byHook,
    hooks: new Map(hooks.map((loaded) => [loaded.hook.id, loaded])),
    secrets,
  };
}

function gone(count: number): SpecProblem {
  const hint = 'put them back; if nothing is to be deployed any more, restart Mainsheet';
  return problemAt({ file: '.' }, `no spec is left of ${count}`, hint);
}

function marksOf(listing: Listing): string {
  const files = [...listing.files, ...listing.sealed];
  return JSON.stringify([files.map(({ path, mark }) => [path, mark]), listing.problems]);
}

function fingerprint(state: CatalogState, { hooks }: Index): string {
  return JSON.stringify([
    state.stale,
    state.problems,
    state.specs.map(({ file, line, digest }) => [file, line, digest]),
    [...hooks.values()],
  ]);
}

/** One short word for a whole set, to compare logs and replicas by. */
function digestOf(specs: readonly LoadedSpec[]): string {
  const hash = createHash('sha256');
  for (const { file, digest } of specs) hash.update(`${file}\0${digest}\n`);
  return hash.digest('hex').slice(0, 12);
}
