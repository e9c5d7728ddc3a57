import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { listCommand } from './page.ts';

/** `mainsheet pauses`: oldest first. */
export function pausesCommand(program: Command, context: CommandContext): void {
  listCommand(program, context, {
    name: 'pauses',
    description: 'list what is paused, since when, by whom and why',
    ask: (api) => api.pauses(),
    none: 'nothing is paused',
    columns: [
      { title: 'KIND', cell: (pause) => pause.kind },
      { title: 'NAME', cell: (pause) => pause.name },
      { title: 'SINCE', cell: (pause) => pause.since },
      { title: 'BY', cell: (pause) => pause.by ?? '-' },
      { title: 'REASON', cell: (pause) => pause.reason },
    ],
  });
}
