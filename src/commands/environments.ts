import type { Command } from 'commander';
import type { CommandContext } from './context.ts';
import { age, listCommand } from './page.ts';

/** `mainsheet environments`: what is deployed where. */
export function environmentsCommand(program: Command, context: CommandContext): void {
  listCommand(program, context, {
    name: 'environments',
    description: 'list what is deployed where',
    ask: (api) => api.environments(),
    none: 'nothing is deployed yet',
    columns: [
      { title: 'ENVIRONMENT', cell: (place) => place.environment },
      { title: 'SPEC', cell: (place) => `${place.spec}${place.removed ? ' (removed)' : ''}` },
      { title: 'COMMIT', cell: (place) => place.sha.slice(0, 7) },
      { title: 'REF', cell: (place) => place.ref.replace(/^refs\/(?:heads|tags)\//, '') },
      { title: 'AGE', cell: (place) => age(place.deployedAt) },
      { title: 'RUN', cell: (place) => place.run },
    ],
  });
}
