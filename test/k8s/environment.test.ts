import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readConfig } from '../../src/config.ts';
import { kustomization, mainsheet, pod } from './manifests.ts';

describe('the environment in the cluster', () => {
  let root: string;

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'mainsheet-k8s-'));
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    await mkdir(join(root, 'secrets/github'), { recursive: true });
    await mkdir(join(root, 'secrets/deployments'), { recursive: true });
    await writeFile(
      join(root, 'secrets/github/private-key'),
      privateKey.export({ type: 'pkcs8', format: 'pem' }),
    );
    await writeFile(join(root, 'secrets/github/webhook-secret'), 'a webhook secret\n');
    await writeFile(join(root, 'secrets/deployments/REGISTRY_TOKEN'), 'a token');
  });

  after(() => rm(root, { recursive: true, force: true }));

  /** What the container's process sees, with its absolute paths below `root`. */
  function environment(): Record<string, string> {
    const literals = kustomization.configMapGenerator
      .filter(({ name }) => mainsheet.envFrom.some((from) => from.configMapRef.name === name))
      .flatMap(({ literals }) => literals ?? []);
    return {
      ...Object.fromEntries(literals.map((literal) => splitOnce(literal))),
      ...Object.fromEntries(
        mainsheet.env.map(({ name, value }) => {
          if (value === undefined) return [name, '123456'];
          return [name, value.startsWith('/') ? join(root, value) : value];
        }),
      ),
    };
  }

  function splitOnce(literal: string): [string, string] {
    const at = literal.indexOf('=');
    return [literal.slice(0, at), literal.slice(at + 1)];
  }

  test('is a configuration without problems and without a variable that Mainsheet does not know', () => {
    const answer = readConfig(environment(), { isTerminal: false });
    assert.ok('config' in answer, 'problems' in answer ? answer.problems.join('\n') : '');
    assert.deepEqual(answer.warnings, []);
    assert.equal(answer.config.github.auth?.kind, 'app');
    assert.deepEqual([...answer.config.webhookSecrets], ['a webhook secret']);
    assert.equal(answer.config.secrets.get('REGISTRY_TOKEN'), 'a token');
    assert.equal(answer.config.deployments.path, join(root, 'deployments'));
    assert.equal(answer.config.host, '0.0.0.0');
    assert.equal(answer.config.port, mainsheet.ports[0]?.containerPort);
  });

  test('does not get variables for the service called mainsheet', () => {
    assert.equal(pod.enableServiceLinks, false);
  });

  test('every path in it is mounted, secrets and specs read-only', () => {
    const paths = mainsheet.env.flatMap(({ value }) => (value?.startsWith('/') ? [value] : []));
    assert.ok(paths.length >= 5);
    for (const path of paths) {
      const mount = mainsheet.volumeMounts.find(
        ({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`),
      );
      assert.ok(mount !== undefined, `${path} is mounted`);
      if (/^\/(?:secrets|deployments)/.test(path)) assert.equal(mount.readOnly, true, path);
    }
  });

  test('the pod is given longer to stop than runs are given to finish and their steps to end', () => {
    const answer = readConfig(environment(), { isTerminal: false });
    assert.ok('config' in answer);
    // A step that does not obey SIGTERM is killed ten seconds after it.
    const needed = answer.config.shutdownGraceMs + 15_000;
    assert.ok(pod.terminationGracePeriodSeconds * 1000 > needed);
  });

  test('only the secrets that specs may name are optional', () => {
    const secrets = pod.volumes.flatMap(({ secret }) => secret ?? []);
    const github = mainsheet.env.find(({ valueFrom }) => valueFrom !== undefined)?.valueFrom;
    assert.deepEqual(
      secrets.map(({ secretName, optional }) => [secretName, optional === true]),
      [
        [github?.secretKeyRef.name, false],
        ['mainsheet-deployment-secrets', true],
      ],
    );
  });
});
