import { globSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** Packages that come with the program: of their hundreds of files a command needs few. */
const BUNDLED = ['commander', 'kysely', 'yaml', 'zod'];

const bundled: Plugin = {
  name: 'bundled',
  setup(plan) {
    const filter = new RegExp(`^(?:${BUNDLED.join('|')})(?:/|$)`);
    plan.onResolve({ filter }, ({ path }) => ({
      path: fileURLToPath(import.meta.resolve(path)),
      sideEffects: false,
    }));
  },
};

/** Puts the program into the folder `src` of `directory`, of which nothing else is left. */
export async function bundle(directory: string): Promise<void> {
  const out = `${directory}/src`;
  await rm(directory, { recursive: true, force: true });
  await build({
    // Side by side, so that what is no import is found from every file: threads, and the assets of the pages.
    entryPoints: ['src/main.ts', ...globSync('src/store/*-thread.ts')],
    entryNames: '[name]',
    outdir: out,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: true,
    packages: 'external',
    plugins: [bundled],
    // CommonJS asks for modules of Node with it.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: 'warning',
  });
  await cp('src/http/pages/assets', `${out}/assets`, { recursive: true });
  for (const name of BUNDLED)
    await cp(`node_modules/${name}/LICENSE`, `${directory}/licenses/${name}`);
}

// `import.meta.main` came with Node 24.2.
if (process.argv[1] === fileURLToPath(import.meta.url)) await bundle('dist');
