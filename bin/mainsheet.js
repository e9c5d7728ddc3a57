#!/usr/bin/env node
// Mainsheet needs Node 24. Under an older Node this starts itself again with the one that npm installed with it. Plain
// JavaScript, because an older Node has to be able to read it. A checkout runs its TypeScript as it is; the package carries it
// bundled, because Node strips no types in node_modules.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const source = at('src/main.ts');
const main = existsSync(source) ? source : at('dist/src/main.js');

if (Number(process.versions.node.split('.')[0]) >= 24) {
  // Beside what it was made from, where only those can write who can write there too: what is cached is run. A server of the package
  // does without: it starts once, and would keep what it has read of the cache. TypeScript takes more than that to compile.
  if (main === source || process.argv[2] !== 'serve')
    module.enableCompileCache(at('node_modules/.cache/mainsheet'));
  await import(main);
} else {
  const pinned = pinnedNode();
  if (pinned === undefined) {
    console.error(
      `mainsheet needs Node 24 or newer; this is ${process.versions.node}, and npm installed none with it.`,
    );
    process.exit(3);
  }
  const { spawn } = await import('node:child_process');
  const child = spawn(pinned, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** The Node of the optional dependencies, wherever npm put it; undefined when it was left out. */
function pinnedNode() {
  const require = module.createRequire(import.meta.url);
  for (const name of ['node', 'node-bin']) {
    try {
      const manifest = require.resolve(`${name}-${process.platform}-${process.arch}/package.json`);
      return join(dirname(manifest), 'bin/node');
    } catch {
      // The other name, or none.
    }
  }
  return undefined;
}
