import { formatLimit, LIMIT_NAMES, type LimitName, type StepLimits } from '../lib/step-limits.ts';

/** The exit code of the wrapper when a limit cannot be set. */
const CANNOT = 125;
/** How long a program that was told to stop (SIGXCPU) may still compute before it is killed, in seconds. */
const CPU_GRACE = 5;

/**
 * Sets the limits that its arguments name (option, soft limit, hard limit) up to `--`, and becomes the program behind it.
 * A limit that cannot be set because a lower one is in force already is kept by that one. `-u` is called `-p` by some shells.
 */
const WRAPPER = `
set_one() {
  ulimit -S "$1" "$2" 2> /dev/null && ulimit -H "$1" "$3" 2> /dev/null && return
  [ "$1" = -u ] && { set_one -p "$2" "$3"; return; }
  case $(ulimit -H "$1" 2> /dev/null) in
    '' | unlimited) echo "Mainsheet cannot set the limit ulimit $1 $2" >&2; exit ${CANNOT} ;;
  esac
}
while [ "$1" != -- ]; do set_one "$1" "$2" "$3"; shift 3; done
shift
exec "$@"
`;

/** Options of `ulimit`: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/ulimit.html */
const OPTIONS: Record<LimitName, (value: number) => [string, number, number]> = {
  cpu: (seconds) => ['-t', seconds, seconds + CPU_GRACE],
  memory: (bytes) => ['-v', Math.ceil(bytes / 1024), Math.ceil(bytes / 1024)],
  processes: (count) => ['-u', count, count],
  files: (count) => ['-n', count, count],
};

/**
 * The command that runs `path args` under limits: Node cannot set them, `shell` can, and it becomes the program then. Every
 * value is a whole number; nothing else gets into the shell's text.
 */
export function underLimits(
  limits: StepLimits,
  path: string,
  args: string[],
  shell = path,
): { path: string; args: string[] } {
  const set = LIMIT_NAMES.flatMap((name) => {
    const value = limits[name];
    return value === undefined ? [] : OPTIONS[name](value).map(String);
  });
  if (set.length === 0) return { path, args };
  return { path: shell, args: ['-c', WRAPPER, 'mainsheet', ...set, '--', path, ...args] };
}

/** What programs say when the system refuses them something: https://man7.org/linux/man-pages/man3/errno.3.html */
const REFUSALS: [LimitName, RegExp][] = [
  ['files', /Too many open files|EMFILE/],
  ['processes', /Resource temporarily unavailable|Cannot fork|can't fork|EAGAIN/],
  [
    'memory',
    /Cannot allocate memory|[Oo]ut of memory|memory exhausted|MemoryError|bad_alloc|ENOMEM|failed to map segment/,
  ],
];

const CRASHES = [
  { signal: 'SIGTRAP', number: 5 },
  { signal: 'SIGABRT', number: 6 },
  { signal: 'SIGSEGV', number: 11 },
];

/** Finds out which limit made a step fail, from its end and from what it said. */
export function createLimitBlame(limits: StepLimits): {
  see(text: string): void;
  /** Words to add to the reason of a failure; empty when no limit is known to be the cause. */
  blame(ended: { exitCode: number | null; signal: string | null }): string;
} {
  const seen = new Set<LimitName>();
  let tail = '';
  return {
    see(text) {
      for (const [name, refusal] of REFUSALS) {
        if (limits[name] !== undefined && refusal.test(tail + text)) seen.add(name);
      }
      tail = text.slice(-64);
    },
    blame({ exitCode, signal }) {
      const said = (name: LimitName) => formatLimit(name, limits[name] ?? 0);
      if (limits.cpu !== undefined && (signal === 'SIGXCPU' || exitCode === 128 + 24)) {
        return `cpu limit of ${said('cpu')} reached`;
      }
      // Many a program, Node among them, does not say that it got no memory: it crashes.
      const crashed = CRASHES.some(
        (code) => signal === code.signal || exitCode === 128 + code.number,
      );
      if (limits.memory !== undefined && crashed) seen.add('memory');
      const names = [...seen].map((name) => `the ${name} limit of ${said(name)}`);
      return names.length === 0 ? '' : `perhaps for ${names.join(' or ')}`;
    },
  };
}
