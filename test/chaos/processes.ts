import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process and all its descendants, the oldest first. */
export function processTree(root: number): number[] {
  const parents = new Map(allProcesses().map((pid) => [pid, parentOf(pid)]));
  const tree = [root];
  for (const pid of tree) {
    for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  }
  return tree;
}

/** Processes, but this one, that have to do with the directory: steps, and git at work there. */
export function processesOf(directory: string): string[] {
  return allProcesses().flatMap((pid) => {
    const command = read(`/proc/${pid}/cmdline`);
    const texts = [read(`/proc/${pid}/environ`), command, workingDirectory(pid)];
    if (pid === process.pid || !texts.some((text) => text.includes(directory))) return [];
    return [`${pid} ${command.replaceAll('\0', ' ').trim()}`];
  });
}

function allProcesses(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0);
}

function parentOf(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
}

function workingDirectory(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

/** Empty when the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
