import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { globSync } from 'node:fs';
import { test } from 'node:test';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** The floors of ARCHITECTURE.md, lowest first. Rooms on `apart` floors do not import each other. */
const FLOORS: { rooms: string[]; apart?: true }[] = [
  { rooms: ['lib', 'config'] },
  { rooms: ['model'] },
  { rooms: ['spec', 'store', 'git', 'sources', 'github', 'kube'], apart: true },
  { rooms: ['steps', 'callbacks'], apart: true },
  { rooms: ['runs'] },
  { rooms: ['controller'] },
  { rooms: ['http', 'commands'], apart: true },
  { rooms: ['app', 'main'] },
];

interface Import {
  file: string;
  line: number;
  target: string;
}

/** `lib/errors.ts` → `lib`; `main.ts` → `main`. */
function roomOf(path: string): string {
  return path.split(sep)[0]?.replace(/\.ts$/, '') ?? '';
}

/** Every relative import in a file, type imports, re-exports and dynamic imports included. */
function importsOf(file: string, text: string): Import[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)(['"])(\.[^'"]+)\1/g;
  return [...text.matchAll(pattern)].map((match) => ({
    file,
    line: text.slice(0, match.index).split('\n').length,
    target: normalize(join(dirname(file), match[2] ?? '')),
  }));
}

/** Why an import breaks the house rules; undefined when it does not. */
function violation(entry: Import): string | undefined {
  const from = roomOf(entry.file);
  const to = roomOf(entry.target);
  const where = `src/${entry.file}:${entry.line} imports ${entry.target}`;
  // The demo and its stand-ins live beside src; only the command that starts it may know of it.
  if (to === '..') {
    return entry.file === join('commands', 'demo.ts') ? undefined : `${where}, outside src`;
  }
  if (from === to) return undefined;
  const floorOf = (room: string) => FLOORS.findIndex((floor) => floor.rooms.includes(room));
  if (floorOf(from) === -1) return `${where}: ${from} has no floor`;
  if (floorOf(to) === -1) return `${where}: ${to} has no floor`;
  if (floorOf(to) > floorOf(from)) return `${where}, a floor above`;
  if (floorOf(to) === floorOf(from) && FLOORS[floorOf(from)]?.apart) return `${where}, a sibling`;
  return undefined;
}

function violationsIn(files: Record<string, string>): string[] {
  return Object.entries(files)
    .flatMap(([file, text]) => importsOf(file, text))
    .flatMap((entry) => violation(entry) ?? []);
}

test('imports run downward only, and siblings on floors 3, 4 and 7 do not import each other', () => {
  const paths = globSync('**/*.ts', { cwd: SRC });
  assert.ok(paths.length > 20, 'the sources were found');
  const files = Object.fromEntries(
    paths.map((path) => [relative('.', path), readFileSync(join(SRC, path), 'utf8')]),
  );
  assert.deepEqual(violationsIn(files), []);
});

test('a planted violation is found, in whatever form the import is written', () => {
  const planted: Record<string, string> = {
    'lib/a.ts': `import { Run } from '../model/run.ts';`,
    'model/b.ts': `import type { X } from '../spec/load.ts';`,
    'spec/c.ts': `export * from "../store/index.ts";`,
    'http/d.ts': `const x = await import('../commands/serve.ts');`,
    'git/e.ts': `import '../github/client.ts';`,
    'steps/f.ts': `import { x } from '../nowhere/at-all.ts';`,
    'runs/g.ts': `import { createForge } from '../../demo/forge.ts';`,
  };
  for (const [file, text] of Object.entries(planted)) {
    assert.equal(violationsIn({ [file]: text }).length, 1, `${file}: ${text}`);
  }
});

test('an import that the rules allow is not reported', () => {
  assert.deepEqual(
    violationsIn({
      'app.ts': `import { a } from './http/server.ts'; import b from 'koa';`,
      'runs/plan.ts': `import type { Run } from '../model/run.ts'; import './execute.ts';`,
    }),
    [],
  );
});
