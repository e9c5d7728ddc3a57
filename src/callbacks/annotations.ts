/** A problem at a line of a file: https://docs.github.com/en/rest/checks/runs#create-a-check-run (`annotations`) */
export interface Annotation {
  /** Below the root of the repository. */
  path: string;
  start_line: number;
  end_line: number;
  /** Only where the lines are one. */
  start_column?: number;
  end_column?: number;
  annotation_level: 'failure' | 'warning' | 'notice';
  message: string;
}

/** As many as GitHub takes in one request. */
const MOST = 50;
const MOST_MESSAGE = 2000;
/** Longer lines are no messages for people. */
const LONGEST_LINE = 4000;
const LEVELS = {
  error: 'failure',
  fatal: 'failure',
  warning: 'warning',
  notice: 'notice',
} as const;

/** `::error file=src/app.js,line=1,col=5,title=T::message`, as GitHub Actions has it. */
const COMMAND = /^::(error|warning|notice) ([^:]*)::(.+)$/;
/** `src/app.ts:3:7: error: message` of compilers, also `error TS2304: message`. */
const COLONS =
  /^([^\s:()]+):(\d{1,7})(?::\d{1,7})?:? (?:- )?(fatal|error|warning)\b[^:]{0,40}: ?(.+)$/;
/** `src/app.ts(3,7): error TS2304: message` */
const PARENTHESES = /^([^\s:()]+)\((\d{1,7})(?:,\d{1,7})?\): (error|warning)\b ?(.+)$/;

/** The problems that a log names with file and line, at most fifty, each once. */
export function annotationsIn(log: string): Annotation[] {
  const found = new Map<string, Annotation>();
  for (const line of log.split('\n')) {
    const annotation = line.length > LONGEST_LINE ? undefined : readLine(line.trim());
    if (annotation !== undefined) found.set(JSON.stringify(annotation), annotation);
    if (found.size === MOST) break;
  }
  return [...found.values()];
}

function readLine(line: string): Annotation | undefined {
  const [, level, properties = '', text] = COMMAND.exec(line) ?? [];
  if (level !== undefined) {
    const file = /(?:^|,)\s*file=([^,]+)/.exec(properties)?.[1];
    const number = /(?:^|,)\s*line=(\d{1,7})(?:,|$)/.exec(properties)?.[1];
    return annotation(file, number, level, text);
  }
  const [, file, number, word, message] = COLONS.exec(line) ?? PARENTHESES.exec(line) ?? [];
  return annotation(file, number, word, message);
}

function annotation(
  file: string | undefined,
  number: string | undefined,
  level: string | undefined,
  message: string | undefined,
): Annotation | undefined {
  const path = file?.replace(/^\.\//, '');
  const line = Number(number);
  if (path === undefined || message === undefined || !isInside(path) || !(line > 0))
    return undefined;
  return {
    path,
    start_line: line,
    end_line: line,
    annotation_level: LEVELS[level as keyof typeof LEVELS],
    message: message.slice(0, MOST_MESSAGE).toWellFormed(),
  };
}

/** Whether it is a path below the root of the repository. */
function isInside(path: string): boolean {
  // A file's name without a dot or a folder is as likely a time of day or a host.
  if (!/[./]/.test(path) || /^(?:[/~\\]|[A-Za-z]:)/.test(path)) return false;
  return !path.split(/[/\\]/).includes('..');
}
