import type { Command } from 'commander';

/** `mainsheet help [COMMAND...]`. Commander's own answers a command that is not there with the whole help. */
export function helpCommand(program: Command): void {
  program
    .command('help')
    .description('print help for a command')
    .argument('[command...]', 'the command; without one, all of them are listed')
    .action(async (names: string[]) => {
      let command = program;
      for (const [index, name] of names.entries()) {
        const next = command.commands.find((one) => one.name() === name);
        if (next !== undefined) {
          command = next;
        } else if (command.commands.length > 0) {
          // It is no command, so this runs nothing, and says which one was probably meant.
          await program.parseAsync(names.slice(0, index + 1), { from: 'user' });
        } else {
          program.error(`error: unknown command '${names.join(' ')}'`);
        }
      }
      command.outputHelp();
    });
}
