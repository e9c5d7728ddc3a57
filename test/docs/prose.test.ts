import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PLAIN_VARIABLES, SECRET_VARIABLES } from '../../src/config/variables.ts';
import { parseSpecs } from '../../src/spec/load.ts';

/** What the prose says of the code and of itself, as far as a program can tell. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const pages = [...globSync('*.md', { cwd: ROOT }), ...globSync('docs/**/*.md', { cwd: ROOT })];
const textOf = (page: string) => readFileSync(join(ROOT, page), 'utf8');
const source = globSync('src/**/*.ts', { cwd: ROOT }).map(textOf).join('\n');

test('every deployment spec in the prose is valid', () => {
  const specs = pages.flatMap((page) =>
    [...textOf(page).matchAll(/^```yaml\n(.*?)^```/gms)]
      .map(([, text = '']) => ({ page, text }))
      .filter(({ text }) => /^name: /m.test(text) && /^steps:/m.test(text)),
  );
  assert.ok(specs.some(({ page }) => page === 'README.md'));
  for (const { page, text } of specs) {
    assert.deepEqual(parseSpecs(page, text).problems, []);
  }
});

test('every link leads to a file, and to a heading where it names one', () => {
  for (const page of pages) {
    for (const [, target = ''] of textOf(page).matchAll(/(?:\]\(|src="|srcset=")([^)"\s]+)/g)) {
      if (/^https?:/.test(target)) continue;
      const [path = '', heading] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      assert.ok(existsSync(join(ROOT, file)), `${page} links to ${target}`);
      if (heading !== undefined)
        assert.ok(headingsOf(file).has(heading), `${page} links to ${target}`);
    }
  }
});

/** As what GitHub lets links name the headings of a page. */
function headingsOf(page: string): ReadonlySet<string> {
  const prose = textOf(page).replaceAll(/^```.*?^```/gms, '');
  return new Set(
    [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

test('every file that the pages for contributors name is there', () => {
  for (const page of [
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'docs/internals.md',
    'docs/recipes.md',
  ]) {
    for (const [, path = ''] of textOf(page).matchAll(
      /`((?:src|test|demo|docs|k8s)\/[\w./-]+)`/g,
    )) {
      assert.ok(existsSync(join(ROOT, path)), `${page} names ${path}`);
    }
  }
});

test('every function that the architecture names is in the code', () => {
  for (const page of ['ARCHITECTURE.md', 'docs/internals.md']) {
    for (const [, name = ''] of textOf(page).matchAll(/`([a-z]\w*(?:\.\w+)?)(?:\(\))?`/g)) {
      const called = name.split('.').at(-1) ?? '';
      if (!/[A-Z]/.test(called) && !name.includes('.')) continue;
      assert.match(source, new RegExp(String.raw`\b${called}\b`), `${page} names ${name}`);
    }
  }
});

test('every setting is documented, and no other', () => {
  const page = textOf('docs/configuration.md');
  for (const name of PLAIN_VARIABLES) assert.ok(page.includes(`\`${name}\``), name);
  // A star says that it may come from a file.
  for (const name of SECRET_VARIABLES) assert.ok(page.includes(`\`${name}\` \\*`), name);
  const known = new Set<string>([...PLAIN_VARIABLES, ...SECRET_VARIABLES]);
  for (const [, name = ''] of page.matchAll(/^\| `([A-Z_]+)`/gm)) {
    assert.ok(known.has(name) || source.includes(`'${name}'`), `there is no ${name}`);
  }
});

test('every key that a spec and a hook may have is documented', () => {
  for (const [file, page] of [
    ['schema.json', 'docs/specs.md'],
    ['hook.schema.json', 'docs/hooks.md'],
  ] as const) {
    const text = textOf(page);
    const keys = keysOf(JSON.parse(textOf(join('deployments', file))));
    assert.ok(keys.size > 20);
    for (const key of keys) {
      const isNamed = new RegExp(`(?<![\\w-])${key}(?![\\w-])`).test(text);
      assert.ok(isNamed, `${page} does not name ${key}`);
    }
  }
});

function keysOf(schema: unknown): ReadonlySet<string> {
  if (typeof schema !== 'object' || schema === null) return new Set();
  const own = 'properties' in schema ? Object.keys(schema.properties ?? {}) : [];
  return new Set([...own, ...Object.values(schema).flatMap((part) => [...keysOf(part)])]);
}

test('every variable that steps get, every metric and every route of the API is documented', () => {
  const named = (page: string, files: string, pattern: RegExp) => {
    const text = textOf(page);
    const code = globSync(files, { cwd: ROOT }).map(textOf).join('\n');
    const names = [...code.matchAll(pattern)].map(([, name = '']) => name);
    assert.ok(names.length > 0, files);
    for (const name of names) assert.ok(text.includes(name), `${page} does not name ${name}`);
  };
  named('docs/specs.md', 'src/steps/environment.ts', /^\s+(MAINSHEET_[A-Z_]+): /gm);
  named('docs/operations.md', 'src/http/*metrics.ts', /'(mainsheet_[a-z_]+)'/g);
  named('docs/api.md', 'src/http/api/*.ts', /\boperation\(\s*'[a-z]+',\s*'(\/[^']+)'/g);
});

test('every guarantee has a test that is named after it', () => {
  const guarantees = textOf('ARCHITECTURE.md')
    .match(/^- \*\*G\d+(?=\. )/gm)
    ?.map((item) => item.slice(4));
  assert.equal(guarantees?.length, 11);
  const tests = globSync('test/**/*.test.ts', { cwd: ROOT }).map(textOf).join('\n');
  for (const guarantee of guarantees) {
    assert.match(tests, new RegExp(`^ *(?:test|describe)\\(\\s*['"]${guarantee} `, 'm'), guarantee);
  }
});
