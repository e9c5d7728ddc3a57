/** Bytes of output of a script that its machine keeps; a script that puts out more is ended. */
const MOST_OUTPUT = 256 * 1024 * 1024;
/** How long a directory stays that nothing has removed. */
const KEPT_DAYS = 7;
/** Where a machine keeps the state of attempts: in the home directory of the user. */
const DIRECTORY = '${XDG_STATE_HOME:-${HOME:-/nowhere}/.local/state}/mainsheet';
/** Changes when a machine is started again, after which its process ids mean others. */
const BOOT = '$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)';
const PAUSE = 'sleep 0.1 2>/dev/null || sleep 1';

/** The user's own shell there reads this and nothing else: the script and its values come as input. As steps are run here: `findShell`. */
export const COMMAND =
  "exec sh -c 'if command -v bash >/dev/null 2>&1; then exec bash --norc -o pipefail -s; else exec sh -s; fi'";

interface Work {
  /** Letters, digits and "-": names its directory. */
  id: string;
  env: Record<string, string>;
  script: string;
  /** Between SIGTERM and SIGKILL, in seconds. */
  grace: number;
  /** What the script may take, in seconds, whether it is followed or not. */
  timeout: number;
}

/** Between single quotes nothing means anything but the next one: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/V3_chap02.html#tag_19_02_02 */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Each value as an environment variable: quoted, so that it stays a value. */
export function exported(env: Record<string, string>): string[] {
  return Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`);
}

/** By it what a program says is told from what the user's shell has printed before. */
export const greetingOf = (id: string): string => `mainsheet:${id}\n`;

/**
 * What a shell there reads to begin a script, unless that was done, and to tell of it: `o N` or `e N` and N bytes of stdout or
 * stderr, from byte `from` on; then `x N`, its exit status; `g WHY`, it ended without one; or `r WHY`, it was not begun. When the
 * input ends, the telling ends, and not the script. Its values are in no file and no argument. It is one block, which the shell has
 * read whole before it does any of it.
 */
export function followInput(work: Work, from: { o: number; e: number }): string {
  const { id } = work;
  return `exec 3<&0
{
tell() { printf '%s\\n' "$1"; }
printf '%s' ${quoted(greetingOf(id))}
for tool in cat find head mkdir mv rm sleep tail tr wc; do
  command -v "$tool" >/dev/null || { tell "r it has no $tool"; exit 0; }
done
case $(command -v printf) in */*) tell "r its shell has no printf of its own"; exit 0 ;; esac
mask=$(umask); umask 077
base="${DIRECTORY}"
dir="$base"/${quoted(id)}
mkdir -p "$base"
if mkdir "$dir"; then
  find "$base/." ! -name . -prune -type d -mtime +${KEPT_DAYS} -exec rm -rf {} +
  if command -v bash >/dev/null; then set -- bash --norc -o pipefail -s; else set -- sh -s; fi
  group=
  if command -v setsid >/dev/null; then set -- setsid "$@"
  elif [ "$(ps -o pgid= -p "$$" | tr -d ' ')" = "$$" ]; then group=$$
  else rm -rf "$dir"; tell 'r it has no setsid'; exit 0; fi
  { printf '%s' ${quoted(runnerInput(work))} | "$@" -- "$dir" "$mask" "$group"; } >/dev/null 3<&- &
elif [ ! -d "$dir" ]; then
  tell "r $base cannot be written to"; exit 0
fi
( read -r _ <&3; kill "$$" ) >/dev/null &
watchdog=$!
end() { kill "$watchdog"; tell "$1"; exit 0; }
o=${from.o} e=${from.e} tries=0
show() {
  size=$(wc -c <"$dir/$1") || size=0
  more=$((size - $2))
  [ "$more" -gt 0 ] || { more=0; return; }
  printf '%s %s\\n' "$1" "$more"
  tail -c "+$(($2 + 1))" "$dir/$1" | head -c "$more"
}
while :; do
  over= pid=
  [ -s "$dir/pid" ] && read -r pid group boot <"$dir/pid"
  if [ -s "$dir/status" ]; then over=yes
  elif [ -z "$pid" ]; then tries=$((tries + 1)); [ "$tries" -lt 100 ] && [ ! -s "$dir/why" ] || over=yes
  elif [ "$boot" != "${BOOT}" ] || ! kill -0 "$pid"; then over=yes; fi
  show o "$o"; o=$((o + more))
  show e "$e"; e=$((e + more))
  if [ -n "$over" ]; then
    [ ! -s "$dir/status" ] || end "x $(cat "$dir/status")"
    end "g $(cat "$dir/why")"
  fi
  ${PAUSE}
done
} 2>/dev/null
`;
}

/** What ends a script there, with its process group. One that has not begun will not: its directory is there. */
export function stopInput(id: string, grace: number): string {
  return `{
umask 077
dir="${DIRECTORY}"/${quoted(id)}
mkdir -p "\${dir%/*}"
mkdir "$dir" && { echo 'it was told to end' >"$dir/why"; exit 0; }
tries=0
until [ -s "$dir/pid" ] || [ "$tries" -gt 20 ]; do tries=$((tries + 1)); ${PAUSE}; done
read -r pid group boot <"$dir/pid" || exit 0
if [ ! -s "$dir/status" ] && [ "$boot" = "${BOOT}" ]; then
  kill -s TERM -- "-$group"
  tries=0
  while kill -0 -- "-$group" && [ "$tries" -lt ${grace} ]; do tries=$((tries + 1)); sleep 1; done
  kill -s KILL -- "-$group"
fi
rm -f "$dir"/*
exit 0
} 2>/dev/null
`;
}

/** What forgets a script there that has ended. */
export function forgetInput(id: string): string {
  return `{ rm -rf "${DIRECTORY}"/${quoted(id)}; exit 0; }\n`;
}

/**
 * What the shell of the script reads. Its arguments are its directory, the umask of the script, and its process group where it has
 * not one of its own.
 */
function runnerInput({ env, script, grace, timeout }: Work): string {
  return `{
umask 077
printf '%s %s %s\\n' "$$" "\${3:-$$}" "${BOOT}" >"$1/new" && mv "$1/new" "$1/pid" || exit 1
(
  left=${timeout + grace}
  while why=; do
    sleep 5; left=$((left - 5))
    [ "$left" -gt 0 ] || why='it took longer than its time'
    [ "$(($(wc -c <"$1/o") + $(wc -c <"$1/e")))" -lt ${MOST_OUTPUT} ] || why='it has put out more than ${MOST_OUTPUT} bytes'
    [ -n "$why" ] || continue
    printf '%s\\n' "$why" >"$1/why"
    trap '' TERM; kill -s TERM 0; sleep ${grace}; kill -s KILL 0
  done
) </dev/null >/dev/null 2>&1 &
watchdog=$!
(
umask "$2"; unset watchdog; set --
${exported(env).join('\n')}
set -e; eval ${quoted(script)}
) </dev/null >>"$1/o" 2>>"$1/e"
status=$?
kill "$watchdog"
printf '%s\\n' "$status" >"$1/new" && mv "$1/new" "$1/status"
exit 0
}
`;
}
