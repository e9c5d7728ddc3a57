import type { FileText } from '../../git/read-texts.ts';
import { TerminalError } from '../../lib/errors.ts';
import { createFairTurn } from '../../lib/fair-turn.ts';
import type { StepLimits } from '../../lib/step-limits.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import type { LoadedHook } from '../../model/hook.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { isSpecPath } from '../../spec/files.ts';
import { combine, parseSpecs, type Loaded } from '../../spec/load.ts';
import { FILE_LIMIT, tooLarge } from '../../spec/parse.ts';
import type { SpecProblem } from '../../spec/problem.ts';
import { problemAt } from '../../spec/problem.ts';

/** A spec that is not what it was. */
export interface ChangedSpec {
  name: string;
  how: 'new' | 'changed' | 'removed';
  /** Undefined when it is removed. */
  now: LoadedSpec | undefined;
}

/** What a change of files does to the specs in use. Files are named from the root of the repository. */
export interface SpecChange {
  /** None while there are problems: the set in use stays then. */
  changed: ChangedSpec[];
  hooks: readonly LoadedHook[];
  problems: SpecProblem[];
  warnings: SpecProblem[];
}

/** Files of specs that one pull request may change. */
const MOST_FILES = 500;
/** UTF-16 units of all of them: a stranger may have written them, and each takes microseconds to read. */
const MOST_TEXT = 4 * 1024 * 1024;
const NOTHING: Loaded = { specs: [], hooks: [], problems: [], warnings: [] };

/**
 * The specs in use with the files among `paths` as `read` has them. Undefined when no file of specs is among them. Throws
 * TerminalError `too-many-specs`.
 */
export async function readSpecChange(
  deps: { catalog: Pick<Catalog, 'current' | 'hooks'>; stepLimits: StepLimits },
  /** The directory of specs below the root; empty for the root. */
  directory: string,
  paths: readonly string[],
  read: (paths: readonly string[], maxBytes: number) => Promise<ReadonlyMap<string, FileText>>,
): Promise<SpecChange | undefined> {
  const prefix = directory === '' ? '' : `${directory}/`;
  const own = paths.filter(
    (path) => path.startsWith(prefix) && isSpecPath(path.slice(prefix.length)),
  );
  if (own.length === 0) return undefined;
  if (own.length > MOST_FILES) {
    throw new TerminalError('too-many-specs', `more than ${MOST_FILES} files of specs change`);
  }
  const texts = await read(own, FILE_LIMIT);
  if (own.reduce((sum, path) => sum + lengthOf(texts.get(path)), 0) > MOST_TEXT) {
    throw new TerminalError('too-many-specs', 'more than 4 MiB of specs change');
  }
  const links = own.filter((path) => isLink(texts.get(path)));
  const replaced = new Set(own.filter((path) => !links.includes(path)));
  const { specs } = deps.catalog.current();
  const isLeft = ({ file }: { file: string }) => !replaced.has(prefix + file);
  const inUse = specs.map((loaded) => ({ ...loaded, file: prefix + loaded.file }));
  const rest: Loaded = {
    ...NOTHING,
    specs: inUse.filter(({ file }) => !replaced.has(file)),
    hooks: deps.catalog
      .hooks()
      .filter(isLeft)
      .map((loaded) => ({ ...loaded, file: prefix + loaded.file })),
  };
  const parsed: Loaded[] = [];
  const fairTurn = createFairTurn();
  for (const path of replaced) {
    parsed.push(parse(path, texts.get(path), deps.stepLimits));
    await fairTurn();
  }
  const whole = combine([rest, ...parsed]);
  return {
    // What is in a broken file is not removed.
    changed: whole.problems.length > 0 ? [] : changesOf(inUse, whole.specs),
    hooks: whole.hooks,
    problems: whole.problems,
    warnings: [
      ...whole.warnings.filter(({ file }) => replaced.has(file)),
      ...links.map((file) =>
        problemAt({ file }, 'is a link: what it leads to is not looked at here'),
      ),
    ],
  };
}

function lengthOf(text: FileText | undefined): number {
  return text !== undefined && 'text' in text ? text.text.length : 0;
}

function isLink(text: FileText | undefined): boolean {
  return text !== undefined && 'problem' in text && text.problem === 'no file';
}

function parse(file: string, text: FileText | undefined, allowed: StepLimits): Loaded {
  if (text === undefined) return NOTHING;
  if ('text' in text) return parseSpecs(file, text.text, allowed);
  const problem =
    text.problem === 'too large'
      ? tooLarge(file)
      : problemAt({ file }, 'the file is not UTF-8 text');
  return { ...NOTHING, problems: [problem] };
}

function changesOf(before: readonly LoadedSpec[], after: readonly LoadedSpec[]): ChangedSpec[] {
  const then = new Map(before.map((loaded) => [loaded.spec.name, loaded]));
  const now = new Map(after.map((loaded) => [loaded.spec.name, loaded]));
  const changed: ChangedSpec[] = [];
  for (const [name, loaded] of now) {
    const earlier = then.get(name);
    if (earlier?.digest === loaded.digest) continue;
    changed.push({ name, how: earlier === undefined ? 'new' : 'changed', now: loaded });
  }
  for (const name of then.keys()) {
    if (!now.has(name)) changed.push({ name, how: 'removed', now: undefined });
  }
  return changed.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
