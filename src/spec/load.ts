import { createHash } from 'node:crypto';
import type { GitServers } from '../lib/servers.ts';
import type { StepLimits } from '../lib/step-limits.ts';
import { buttonHookWarnings, buttonProblems } from './button-checks.ts';
import { chainProblems, unknownChains } from './chain-checks.ts';
import { withExcerpts } from './excerpt.ts';
import { listSpecFiles, readSpecFile, type Listing } from './files.ts';
import { parseSpecs, type Loaded } from './parse.ts';
import { didYouMean, problemAt, type SpecProblem } from './problem.ts';
import { checkServers, serverHookWarnings } from './server-checks.ts';

export { parseSpecs, type Loaded } from './parse.ts';

/**
 * Reads every spec below a directory: all valid specs, all problems and all warnings of all files at once. Never throws: a directory
 * that is missing is a problem too. A name used twice is a problem at the later place that names the earlier one.
 */
export async function loadSpecs(directory: string): Promise<Loaded> {
  return loadListing(await listSpecFiles(directory));
}

/** What files had in them, by path and content. */
export type ParsedFiles = Map<string, Loaded>;

/**
 * As `loadSpecs`, of files already found. What is in `parsed` from the time before is not parsed again, which is nearly all of
 * the work; afterwards it holds these files and no others. `allowed` must be the same each time.
 */
export async function loadListing(
  listing: Listing,
  {
    allowed = {},
    parsed = new Map(),
    servers,
    isWhole = true,
  }: {
    allowed?: StepLimits | undefined;
    parsed?: ParsedFiles;
    /** Undefined where they are not known. */
    servers?: GitServers | undefined;
    /** Whether hooks stand in no other files. */
    isWhole?: boolean;
  } = {},
): Promise<Loaded> {
  const problems = [...listing.problems];
  const read: Loaded[] = [];
  const texts = new Map<string, string>();
  const before = new Map(parsed);
  parsed.clear();
  for (const file of listing.files) {
    const found = await readSpecFile(file);
    if ('problem' in found) {
      problems.push(found.problem);
      continue;
    }
    const key = `${file.path}\0${createHash('sha256').update(found.text).digest('base64')}`;
    const known = before.get(key) ?? parseSpecs(file.path, found.text, allowed);
    parsed.set(key, known);
    texts.set(file.path, found.text);
    read.push(known);
  }
  const whole = combine(read, isWhole);
  const unset = servers === undefined ? [] : checkServers(whole, servers);
  problems.push(...whole.problems, ...unset);
  return { ...whole, problems: withExcerpts(problems, texts) };
}

/** What several files have together: names used twice are problems, triggers that nothing starts are warnings. `isWhole`: as above. */
export function combine(files: readonly Loaded[], isWhole = true): Loaded {
  const loaded: Loaded = {
    specs: files.flatMap(({ specs }) => specs),
    hooks: files.flatMap(({ hooks }) => hooks),
    problems: files.flatMap(({ problems }) => problems),
    warnings: files.flatMap(({ warnings }) => warnings),
  };
  return {
    ...loaded,
    problems: [
      ...loaded.problems,
      ...twice(loaded.specs, 'name', ({ spec }) => spec.name, 'every spec needs a name of its own'),
      ...twice(loaded.hooks, 'id', ({ hook }) => hook.id, 'every hook needs an id of its own'),
      ...chainProblems(loaded.specs),
      ...buttonProblems(loaded, isWhole),
    ],
    warnings: [
      ...loaded.warnings,
      ...unknownHooks(loaded),
      ...unknownChains(loaded.specs),
      ...serverHookWarnings(loaded),
      ...buttonHookWarnings(loaded),
    ],
  };
}

/** Triggers that nothing will ever start. The hook may stand in a file that was not given, and so this is no problem. */
function unknownHooks({ specs, hooks }: Loaded): SpecProblem[] {
  const known = hooks.map(({ hook }) => hook.id);
  return specs.flatMap((loaded) =>
    (loaded.spec.on.hooks ?? [])
      .filter(({ id }) => !known.includes(id))
      .map(({ id }) => {
        const message = `${loaded.spec.name} is started by the hook ${id}, which no file has`;
        return problemAt(loaded, message, didYouMean(id, known) ?? 'write it: kind: hook');
      }),
  );
}

/** What is called so already, at its later places. */
function twice<Item extends { file: string; line: number }>(
  items: readonly Item[],
  what: 'id' | 'name',
  nameOf: (item: Item) => string,
  hint: string,
): SpecProblem[] {
  const first = new Map<string, Item>();
  return items.flatMap((item) => {
    const name = nameOf(item);
    const earlier = first.get(name);
    first.set(name, earlier ?? item);
    if (earlier === undefined) return [];
    const message = `the ${what} "${name}" is already used at ${earlier.file}:${earlier.line}`;
    return [problemAt(item, message, hint)];
  });
}
