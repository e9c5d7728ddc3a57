import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { mainsheet, pod, readYaml, statefulSet, type Kustomization } from './manifests.ts';

const REPLICAS = fileURLToPath(new URL('../../k8s/examples/replicas', import.meta.url));
const read = (file: string) => readYaml(join(REPLICAS, file));
const kustomization: Kustomization = read('kustomization.yaml');
const { kind, metadata, spec } = read('deployment.yaml');
const replica = spec.template.spec;
const [container] = replica.containers;

test('the overlay names every file of its own, and takes the StatefulSet out', () => {
  const named = [
    'kustomization.yaml',
    ...kustomization.resources.filter((file) => file !== 'base'),
    ...(kustomization.patches ?? []).map(({ path }) => path),
  ];
  assert.deepEqual(
    named.sort(),
    globSync('**/*.yaml', { cwd: REPLICAS, exclude: ['base'] }).sort(),
  );
  assert.ok(kustomization.resources.includes('base'));
  assert.deepEqual(read('no-stateful-set.yaml'), {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'mainsheet' },
    $patch: 'delete',
  });
});

test('two or three replicas run, one is replaced after the other, on different machines where there are several', () => {
  assert.equal(kind, 'Deployment');
  assert.equal(metadata.name, 'mainsheet');
  assert.ok(spec.replicas >= 2 && spec.replicas <= 3);
  assert.deepEqual(spec.strategy, {
    type: 'RollingUpdate',
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
  });
  assert.equal(replica.topologySpreadConstraints[0].topologyKey, 'kubernetes.io/hostname');
  assert.deepEqual(spec.selector, statefulSet.spec.selector);
  assert.deepEqual(spec.template.metadata, statefulSet.spec.template.metadata);
});

test('no volume is shared or claimed: what a replica has on its disk it can make again', () => {
  assert.equal(spec.volumeClaimTemplates, undefined);
  for (const volume of replica.volumes) {
    assert.equal(volume.persistentVolumeClaim, undefined);
    assert.equal(volume.hostPath, undefined);
  }
  const data = replica.volumes.find(({ name }: { name: string }) => name === 'data');
  assert.deepEqual(Object.keys(data.emptyDir), ['sizeLimit']);
});

test("the database's address with its password comes from a secret, as a file that is there or nothing starts", () => {
  const variable = container.env.find(({ name }: { name: string }) => name.startsWith('DATABASE'));
  assert.deepEqual(variable, { name: 'DATABASE_URL_FILE', value: '/secrets/database/url' });
  const mount = container.volumeMounts.find(({ name }: { name: string }) => name === 'database');
  assert.deepEqual(mount, { name: 'database', mountPath: '/secrets/database', readOnly: true });
  const volume = replica.volumes.find(({ name }: { name: string }) => name === 'database');
  const { defaultMode } = pod.volumes.find(({ name }) => name === 'github')?.secret ?? {};
  assert.deepEqual(volume.secret, { secretName: 'mainsheet-database', defaultMode });
});

test('all else of the pod is as in the base', () => {
  const without = (list: { name: string }[], ...names: string[]) =>
    list.filter(({ name }) => !names.includes(name));
  const { containers: _c, volumes, topologySpreadConstraints: _t, ...others } = replica;
  const { containers: _b, volumes: baseVolumes, ...baseOthers } = pod;
  assert.deepEqual(others, baseOthers);
  assert.deepEqual(without(volumes, 'data', 'database'), baseVolumes);
  assert.deepEqual(
    {
      ...container,
      env: without(container.env, 'DATABASE_URL_FILE'),
      volumeMounts: without(container.volumeMounts, 'database'),
    },
    mainsheet,
  );
});

test('one replica at a time may be evicted, and the database may be reached', () => {
  const budget = read('pod-disruption-budget.yaml');
  assert.equal(budget.spec.maxUnavailable, 1);
  assert.deepEqual(budget.spec.selector.matchLabels, spec.template.metadata.labels);
  const policy = read('network-policy.yaml');
  assert.deepEqual(policy.spec.podSelector.matchLabels, spec.template.metadata.labels);
  assert.deepEqual(policy.spec.policyTypes, ['Egress']);
  assert.deepEqual(policy.spec.egress, [{ ports: [{ protocol: 'TCP', port: 5432 }] }]);
});

test('the job that moves a store into PostgreSQL finds the file and the address where server and replicas have them', () => {
  const job = readYaml(join(REPLICAS, '../migrate.yaml'));
  const { containers, volumes, securityContext } = job.spec.template.spec;
  const [migrate] = containers;
  assert.deepEqual(migrate.args, ['migrate', 'sqlite-to-postgres']);
  assert.equal(migrate.image, mainsheet.image);
  assert.deepEqual(securityContext, pod.securityContext);
  assert.deepEqual(migrate.securityContext, mainsheet.securityContext);
  const values = (env: { name: string; value?: string }[], ...names: string[]) =>
    names.map((name) => env.find((variable) => variable.name === name)?.value);
  assert.deepEqual(values(migrate.env, 'MAINSHEET_DATA_DIR', 'DATABASE_URL_FILE'), [
    ...values(mainsheet.env, 'MAINSHEET_DATA_DIR'),
    ...values(container.env, 'DATABASE_URL_FILE'),
  ]);
  const [data, , database] = volumes;
  const [claim] = statefulSet.spec.volumeClaimTemplates;
  assert.equal(data.persistentVolumeClaim.claimName, `${claim?.metadata.name}-mainsheet-0`);
  assert.equal(database.secret.secretName, 'mainsheet-database');
});
