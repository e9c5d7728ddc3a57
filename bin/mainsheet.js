#!/usr/bin/env node
// Mainsheet runs TypeScript as it is, which needs Node 24. Under an older Node this starts itself again with the one
// that npm installed beside it. Plain JavaScript, because an older Node has to be able to read it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= 24) {
  // Beside what it was made from, where nobody can write who cannot write there too: what is cached is run.
  module.enableCompileCache(
    fileURLToPath(new URL('../node_modules/.cache/mainsheet', import.meta.url)),
  );
  await import(main);
} else {
  const pinned = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));
  if (!existsSync(pinned)) {
    console.error(
      `mainsheet needs Node 24 or newer; this is ${process.versions.node}, and npm installed none beside it.`,
    );
    process.exit(3);
  }
  const child = spawn(pinned, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
