import { createHash } from 'node:crypto';
import { isScalar, LineCounter } from 'yaml';
import type { Document } from 'yaml';
import type { StepLimits } from '../lib/step-limits.ts';
import type { LoadedSpec } from '../model/deployment-spec.ts';
import { checkDocument, checkNumbers } from './document-checks.ts';
import { checkHookDocument } from './hook-checks.ts';
import { hookSchema } from './hook-schema.ts';
import { checkLimits, checkTimeouts } from './limit-checks.ts';
import type { LoadedHook } from '../model/hook.ts';
import { positionOf, type Source } from './position.ts';
import { hookJsonSchema, specJsonSchema } from './json-schema.ts';
import { PROBLEM_LIMIT, problemAt, type Issue, type SpecProblem } from './problem.ts';
import { readDocuments } from './read-yaml.ts';
import { checkElsewhere } from './server-checks.ts';
import { schemaIssues } from './schema-issues.ts';
import { deploymentSchema } from './schema.ts';
import { yamlIssues } from './yaml-issues.ts';
import { isDeeperThan } from '../lib/json.ts';

export interface Loaded {
  specs: LoadedSpec[];
  hooks: LoadedHook[];
  problems: SpecProblem[];
  /** What is valid, and hardly meant. */
  warnings: SpecProblem[];
}

const NOTHING: Loaded = { specs: [], hooks: [], problems: [], warnings: [] };

/** Bytes in one file of specs. */
export const FILE_LIMIT = 256 * 1024;
/** Times that aliases may repeat anchored values in one document; bounds what a small file can grow to. */
const ALIAS_LIMIT = 100;
const DOCUMENT_LIMIT = 500;
/** Levels of lists and maps within each other: enough for any payload, and few enough for code that walks through it. */
const NESTING_LIMIT = 50;
/** UTF-16 units of a message or hint: they may repeat what the file says. */
const MESSAGE_LIMIT = 1000;

/**
 * Reads the specs in one file: one or more YAML documents. Valid documents become specs, whatever is wrong with the
 * others; every problem comes with its line and column. `file` is only what problems and specs call it. Nothing may ask for
 * more than `allowed`.
 */
export function parseSpecs(file: string, text: string, allowed: StepLimits = {}): Loaded {
  if (Buffer.byteLength(text) > FILE_LIMIT) {
    return { ...NOTHING, problems: [tooLarge(file)] };
  }
  const lines = new LineCounter();
  const documents = readDocuments(file, text, lines);
  if ('problem' in documents) return { ...NOTHING, problems: [documents.problem] };
  const loaded: Loaded = { specs: [], hooks: [], problems: [], warnings: [] };
  let start = 0;
  let broken = false;
  for (const document of documents.list.slice(0, DOCUMENT_LIMIT)) {
    const [first, , end] = document.range;
    // Of a document with an error the parser does not know where it ends; comments before it do not matter then.
    readDocument(file, { text, lines, document }, broken ? first : start, { loaded, allowed });
    broken = document.errors.length > 0;
    start = end;
  }
  if (documents.list.length > DOCUMENT_LIMIT) {
    const { line } = lines.linePos(start);
    const message = `more than ${DOCUMENT_LIMIT} documents in one file`;
    loaded.problems.push(problemAt({ file, line }, message, 'split the file'));
  }
  if (loaded.specs.length + loaded.hooks.length + loaded.problems.length === 0)
    loaded.warnings.push(
      problemAt(
        { file },
        'there is no deployment spec in this file',
        'write one, or remove the file',
      ),
    );
  return loaded;
}

export function tooLarge(file: string): SpecProblem {
  const message = `the file is larger than ${FILE_LIMIT / 1024} KiB`;
  return problemAt({ file }, message, 'split it, and keep scripts in the repository');
}

function readDocument(
  file: string,
  source: Source,
  start: number,
  { loaded, allowed }: { loaded: Loaded; allowed: StepLimits },
): void {
  const { document, lines } = source;
  const report = (issues: SpecProblem[]): void => {
    loaded.problems.push(...issues.slice(0, PROBLEM_LIMIT).map(bounded));
  };
  const faults = yamlIssues(document, source.text);
  if (faults.length > 0) {
    report(
      faults.map(({ offset, ...fault }) => ({ file, ...linePosition(source, offset), ...fault })),
    );
    return;
  }
  // Comments alone, or the nothing after a last `---`.
  if (isEmpty(document)) return;
  const issues: Issue[] = [];
  const raw = toValue(document, issues);
  if (isHook(raw)) {
    readHook(file, source, raw, issues, loaded, report);
    return;
  }
  const kind = checkKind(raw);
  if (kind !== undefined) return report([toProblem(file, source, kind)]);
  const result = deploymentSchema.safeParse(raw);
  if (issues.length === 0) {
    if (result.success) issues.push(...unique(checkLimits(result.data, raw, allowed)));
    else issues.push(...schemaIssues(result.error, { raw, schema: specJsonSchema }, PROBLEM_LIMIT));
    if (result.success) issues.push(...checkElsewhere(result.data, raw));
    issues.push(...checkDocument(raw), ...checkNumbers(document));
  }
  if (issues.length > 0 || !result.success) {
    report(
      issues
        .slice(0, PROBLEM_LIMIT)
        .map((issue) => toProblem(file, source, issue))
        .sort(byPlace),
    );
    return;
  }
  const unusual = checkTimeouts(result.data).map((issue) => toProblem(file, source, issue));
  loaded.warnings.push(...unusual.map(bounded));
  const text = source.text.slice(start, document.range[2]);
  loaded.specs.push({
    spec: result.data,
    file,
    line: lines.linePos(document.contents?.range[0] ?? start).line,
    text,
    digest: createHash('sha256').update(text).digest('hex'),
  });
}

/** Whether a document says of itself that it is a hook. */
function isHook(raw: unknown): boolean {
  return typeof raw === 'object' && raw !== null && 'kind' in raw && raw.kind === 'hook';
}

/** What else it may say of itself: nothing. */
function checkKind(raw: unknown): Issue | undefined {
  if (typeof raw !== 'object' || raw === null || !('kind' in raw)) return undefined;
  const hint = 'a hook has "kind: hook", and a deployment spec has no "kind"';
  return { path: ['kind'], message: 'kind: there is no such kind of document', hint };
}

function readHook(
  file: string,
  source: Source,
  raw: unknown,
  issues: Issue[],
  loaded: Loaded,
  report: (problems: SpecProblem[]) => void,
): void {
  const result = hookSchema.safeParse(raw);
  if (!result.success) {
    issues.push(...schemaIssues(result.error, { raw, schema: hookJsonSchema }, PROBLEM_LIMIT));
  }
  issues.push(...checkHookDocument(raw).slice(0, PROBLEM_LIMIT));
  if (issues.length === 0 && result.success) {
    const { line } = source.lines.linePos(source.document.contents?.range[0] ?? 0);
    loaded.hooks.push({ hook: result.data, file, line });
    return;
  }
  report(issues.map((issue) => toProblem(file, source, issue)).sort(byPlace));
}

/** What all steps have from the spec is one problem. */
function unique(issues: Issue[]): Issue[] {
  return [...new Map(issues.map((issue) => [issue.path.join('.'), issue])).values()];
}

function isEmpty(document: Document.Parsed): boolean {
  return isScalar(document.contents)
    ? document.contents.value === null
    : document.contents === null;
}

/** The document as plain data. Aliases that multiply into too much are an issue, and so are too many levels. */
function toValue(document: Document.Parsed, issues: Issue[]): unknown {
  try {
    const value: unknown = document.toJS({ maxAliasCount: ALIAS_LIMIT });
    if (!isDeeperThan(NESTING_LIMIT, value)) return value;
    issues.push({
      path: [],
      message: `lists and maps are nested more than ${NESTING_LIMIT} levels deep`,
    });
    return undefined;
  } catch {
    issues.push({
      path: [],
      message: 'the aliases in this document repeat too much',
      hint: 'write the values out',
    });
    return undefined;
  }
}

function toProblem(file: string, source: Source, issue: Issue): SpecProblem {
  return {
    file,
    ...positionOf(source, issue),
    message: issue.message,
    ...(issue.hint === undefined ? {} : { hint: issue.hint }),
  };
}

function bounded(problem: SpecProblem): SpecProblem {
  const cut = (text: string) =>
    text.length > MESSAGE_LIMIT ? `${text.slice(0, MESSAGE_LIMIT - 1)}…`.toWellFormed() : text;
  const { message, hint } = problem;
  return { ...problem, message: cut(message), ...(hint === undefined ? {} : { hint: cut(hint) }) };
}

function linePosition(source: Source, offset: number): { line: number; column: number } {
  const { line, col } = source.lines.linePos(Math.min(offset, source.text.length));
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

function byPlace(a: SpecProblem, b: SpecProblem): number {
  return a.line - b.line || a.column - b.column;
}
