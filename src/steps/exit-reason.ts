import { constants } from 'node:os';

/** Why a script failed that a signal ended. */
export function signalReason(signal: string | null): string {
  return `killed by ${signal ?? 'a signal'}${signal === 'SIGKILL' ? ', perhaps for want of memory' : ''}`;
}

/** Why a script failed that exited, with what a shell says by certain codes: https://www.gnu.org/software/bash/manual/html_node/Exit-Status.html */
export function exitReason(exitCode: number): string {
  const signal = Object.entries(constants.signals).find(([, number]) => number + 128 === exitCode);
  const meaning =
    exitCode === 127
      ? ' (command not found)'
      : exitCode === 126
        ? ' (command cannot be executed)'
        : signal === undefined
          ? ''
          : ` (a command was ${signalReason(signal[0])})`;
  return `exit code ${exitCode}${meaning}`;
}
