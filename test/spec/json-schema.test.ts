import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse, parseAllDocuments } from 'yaml';
import { hookJsonSchema, knownKeys, specJsonSchema } from '../../src/spec/json-schema.ts';

const DEPLOYMENTS = new URL('../../deployments/', import.meta.url);
const DEMO = new URL('../../demo/specs/storefront.yaml', import.meta.url);
const EXAMPLES = new URL('../../docs/examples/', import.meta.url);

for (const [name, make] of [
  ['schema.json', specJsonSchema],
  ['hook.schema.json', hookJsonSchema],
] as const) {
  test(`the shipped ${name} is the one that the code makes`, async () => {
    const shipped: unknown = JSON.parse(await readFile(new URL(name, DEPLOYMENTS), 'utf8'));
    assert.deepEqual(
      shipped,
      make(),
      'write them again: node src/main.ts schema > deployments/schema.json; node src/main.ts schema --hook > deployments/hook.schema.json; npm run format',
    );
  });
}

test('the schema accepts the shipped specs and refuses an unknown key', async () => {
  const validate = new Ajv2020({ strict: false }).compile(specJsonSchema());
  const urls = [
    DEMO,
    ...['static-site', 'release', 'after-ci', 'monorepo'].map(
      (name) => new URL(`${name}.yaml`, EXAMPLES),
    ),
  ];
  for (const url of urls) {
    for (const document of parseAllDocuments(await readFile(url, 'utf8'))) {
      assert.ok(validate(document.toJS()), `${url.pathname}: ${JSON.stringify(validate.errors)}`);
    }
  }
  const demo: object = parse(await readFile(DEMO, 'utf8'));
  assert.equal(validate({ ...demo, brunches: [] }), false);
});

test('editors find a description at every key of a spec and of a push trigger', () => {
  const schema = JSON.stringify(specJsonSchema());
  const keys = knownKeys(specJsonSchema(), []);
  assert.ok(keys.includes('steps') && keys.includes('on'));
  assert.ok(schema.split('"description"').length > keys.length + 20);
});

test('the known keys of a place are found through short forms and lists', () => {
  const schema = specJsonSchema();
  assert.deepEqual(knownKeys(schema, ['on']), [
    'push',
    'release',
    'workflow_run',
    'hook',
    'schedule',
    'deployment',
    'pull_request',
  ]);
  assert.ok(knownKeys(schema, ['on', 'push']).includes('branches-ignore'));
  assert.deepEqual(knownKeys(schema, ['steps', 3, 'retry']), ['attempts', 'backoff']);
  assert.deepEqual(knownKeys(schema, ['env']), []);
  assert.deepEqual(knownKeys(schema, ['nowhere', 0]), []);
});

test('the schema of hooks accepts a hook and refuses an unknown key', () => {
  const validate = new Ajv2020({ strict: false }).compile(hookJsonSchema());
  const hook = { kind: 'hook', id: 'images', sender: 'bearer', secrets: 'TOKEN' };
  assert.equal(validate(hook), true);
  assert.equal(validate({ ...hook, steps: [] }), false);
  assert.ok(knownKeys(hookJsonSchema(), []).includes('extract'));
});

test('a schema is made once, however many documents are wrong', () => {
  for (const make of [specJsonSchema, hookJsonSchema]) assert.equal(make(), make());
});
