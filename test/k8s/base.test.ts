import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { parseSpecs } from '../../src/spec/load.ts';
import {
  BASE,
  find,
  kustomization,
  mainsheet,
  manifests,
  OVERLAY,
  pod,
  readYaml,
  statefulSet,
  type Kustomization,
  type Manifest,
} from './manifests.ts';

/**
 * The manifests as text, without kubectl, which the machine may not have. What is asked for is what an operator relies on.
 * https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
 */
const containers = [...(pod.initContainers ?? []), ...pod.containers];
const { template } = statefulSet.spec;

describe('the kustomization', () => {
  test('names every file of the base and no other', () => {
    const named = [
      'kustomization.yaml',
      ...kustomization.resources,
      ...kustomization.configMapGenerator.flatMap(({ files }) => files ?? []),
    ];
    assert.deepEqual(named.sort(), globSync('**/*.yaml', { cwd: BASE }).sort());
  });

  test('has one document in every resource file, each with a name and none outside its namespace', () => {
    for (const file of kustomization.resources) {
      const documents = parseAllDocuments(readFileSync(join(BASE, file), 'utf8'));
      assert.equal(Array.isArray(documents) ? documents.length : 0, 1, file);
    }
    for (const { metadata, apiVersion, kind } of manifests) {
      assert.ok(apiVersion && kind && metadata.name);
      assert.equal(metadata.namespace, undefined, `${kind}: the kustomization gives the namespace`);
    }
    assert.equal(find('Namespace').metadata.name, kustomization.namespace);
  });

  test('makes every config map that the pod names', () => {
    const made = kustomization.configMapGenerator.map(({ name }) => name);
    const wanted = [
      ...containers.flatMap(({ envFrom }) => envFrom.map((from) => from.configMapRef.name)),
      ...pod.volumes.flatMap(({ configMap }) => configMap?.name ?? []),
    ];
    assert.deepEqual([...new Set(wanted)].sort(), made.sort());
  });

  test('has an example overlay whose files exist and which changes only what the base makes', () => {
    const overlay: Kustomization = readYaml(join(OVERLAY, 'kustomization.yaml'));
    const named = [
      'kustomization.yaml',
      ...(overlay.patches ?? []).map(({ path }) => path),
      ...overlay.configMapGenerator.flatMap(({ files }) => files ?? []),
    ];
    const own = globSync('**/*.yaml', { cwd: OVERLAY, exclude: ['base'] });
    assert.deepEqual(named.sort(), own.sort());
    assert.deepEqual(overlay.resources, ['base']);
    const made = new Set(kustomization.configMapGenerator.map(({ name }) => name));
    for (const generator of overlay.configMapGenerator) assert.ok(made.has(generator.name));
    for (const { path } of overlay.patches ?? []) {
      const patch: Manifest = readYaml(join(OVERLAY, path));
      assert.equal(patch.metadata.name, find(patch.kind).metadata.name);
    }
  });

  for (const example of ['overlay', 'replicas']) {
    test(`has an example ${example} that can be copied to anywhere, because all that it names is inside and its base is the base`, () => {
      const folder = join(BASE, '../examples', example);
      const { resources, patches = [] }: Kustomization = readYaml(
        join(folder, 'kustomization.yaml'),
      );
      for (const path of [...resources, ...patches.map((patch) => patch.path)]) {
        assert.ok(!path.startsWith('..') && existsSync(join(folder, path)), path);
      }
      const files = globSync('**/*.yaml', { cwd: BASE });
      assert.deepEqual(globSync('**/*.yaml', { cwd: join(folder, 'base') }).sort(), files.sort());
      for (const file of files) {
        const [copy, original] = [join(folder, 'base', file), join(BASE, file)];
        const todo = `copy it: cp k8s/base/${file} k8s/examples/${example}/base/${file}`;
        assert.equal(readFileSync(copy, 'utf8'), readFileSync(original, 'utf8'), todo);
      }
    });
  }

  test('ships only deployment specs that are valid', () => {
    const files = [BASE, OVERLAY].flatMap((folder) =>
      globSync('deployments/*.yaml', { cwd: folder }).map((file) => join(folder, file)),
    );
    assert.ok(files.length >= 2);
    for (const file of files) {
      const { specs, problems } = parseSpecs(basename(file), readFileSync(file, 'utf8'));
      assert.deepEqual(problems, []);
      assert.equal(specs.length, 1);
    }
  });
});

describe('pod security', () => {
  test('the namespace enforces the restricted standard', () => {
    const { labels } = find('Namespace').metadata;
    for (const mode of ['enforce', 'audit', 'warn']) {
      assert.equal(labels?.[`pod-security.kubernetes.io/${mode}`], 'restricted');
    }
  });

  test('every container keeps to the restricted standard, and its root file system is read-only', () => {
    const { securityContext: context } = pod;
    assert.equal(context.runAsNonRoot, true);
    assert.ok(context.runAsUser > 0);
    assert.equal(context.seccompProfile.type, 'RuntimeDefault');
    assert.ok(!pod.hostNetwork && !pod.hostPID && !pod.hostIPC);
    for (const { name, securityContext } of containers) {
      assert.equal(securityContext.allowPrivilegeEscalation, false, name);
      assert.equal(securityContext.readOnlyRootFilesystem, true, name);
      assert.deepEqual(securityContext.capabilities, { drop: ['ALL'] }, name);
      assert.ok(!securityContext.privileged, name);
    }
    for (const volume of pod.volumes) {
      assert.equal(volume.hostPath, undefined, volume.name);
    }
  });

  test('the pod runs as the user of the image, and the volume is for that user', () => {
    const dockerfile = readFileSync(join(BASE, '../../Dockerfile'), 'utf8');
    const [, user] = /^USER (\d+):\d+$/m.exec(dockerfile) ?? [];
    assert.equal(pod.securityContext.runAsUser, Number(user));
    assert.equal(pod.securityContext.fsGroup, Number(user));
  });

  test('no token of the cluster is mounted, and nothing gives the service account rights', () => {
    const account = find('ServiceAccount');
    assert.equal(pod.serviceAccountName, account.metadata.name);
    assert.equal(account.automountServiceAccountToken, false);
    assert.equal(pod.automountServiceAccountToken, false);
    const kinds = manifests.map(({ kind }) => kind);
    assert.deepEqual(
      kinds.filter((kind) => /Role/.test(kind)),
      [],
    );
  });

  test('memory is limited, and memory and CPU are asked for', () => {
    for (const { resources } of containers) {
      assert.ok(resources.requests['cpu']);
      assert.ok(resources.requests['memory']);
      assert.ok(resources.limits['memory']);
    }
  });
});

describe('the network', () => {
  test('only the webhook routes are reachable through the ingress', () => {
    const paths = find('Ingress').spec.rules.flatMap(({ http }) => http.paths);
    assert.deepEqual(
      paths.map(({ path, pathType }) => [path, pathType]),
      [
        ['/webhooks/v1/github', 'Exact'],
        ['/webhooks/v1/hooks/', 'Prefix'],
      ],
    );
  });

  test('ingress, service, policy and pod name the same port and the same pods', () => {
    const service = find('Service');
    const [port] = mainsheet.ports;
    const { selector, ports } = service.spec;
    assert.equal(statefulSet.spec.serviceName, service.metadata.name);
    assert.deepEqual(selector, template.metadata.labels);
    assert.deepEqual(statefulSet.spec.selector.matchLabels, template.metadata.labels);
    assert.deepEqual(
      ports.map(({ targetPort }) => targetPort),
      [port.name],
    );
    const [path] = find('Ingress').spec.rules[0]?.http.paths ?? [];
    assert.deepEqual(path?.backend.service, {
      name: service.metadata.name,
      port: { name: 'http' },
    });
    assert.equal(ports[0]?.name, 'http');
    const policy = find('NetworkPolicy').spec;
    assert.deepEqual(policy.podSelector.matchLabels, template.metadata.labels);
    assert.deepEqual(
      policy.ingress.flatMap((rule) => rule.ports.map((entry) => entry.port)),
      [port.name],
    );
  });

  test('the pod may reach DNS and HTTPS, and nothing else', () => {
    const policy = find('NetworkPolicy').spec;
    assert.deepEqual(policy.policyTypes.sort(), ['Egress', 'Ingress']);
    assert.deepEqual(
      policy.egress
        .flatMap(({ ports }) => ports.map((entry) => `${entry.protocol} ${entry.port}`))
        .sort(),
      ['TCP 443', 'TCP 53', 'UDP 53'],
    );
  });
});

describe('one controller on one file', () => {
  test('there is one replica with a volume of its own', () => {
    assert.equal(statefulSet.spec.replicas, 1);
    const [claim] = statefulSet.spec.volumeClaimTemplates;
    const mount = mainsheet.volumeMounts.find(({ name }) => name === claim?.metadata.name);
    const dataDir = mainsheet.env.find(({ name }) => name === 'MAINSHEET_DATA_DIR')?.value ?? '';
    // The root of a volume belongs to root: only a directory below it can be made the controller's alone.
    assert.ok(mount !== undefined && dirname(dataDir) === mount.mountPath, dataDir);
  });

  test('every mount has its volume, and there is room for temporary files', () => {
    const volumes = new Set([
      ...pod.volumes.map(({ name }) => name),
      ...statefulSet.spec.volumeClaimTemplates.map(({ metadata }) => metadata.name),
    ]);
    for (const { name } of mainsheet.volumeMounts) assert.ok(volumes.has(name), name);
    assert.equal(mainsheet.volumeMounts.length, volumes.size);
    const tmp = mainsheet.volumeMounts.find(({ mountPath }) => mountPath === '/tmp');
    assert.ok(pod.volumes.find(({ name }) => name === tmp?.name)?.emptyDir);
  });

  test('it is started and kept by its health, and gets webhooks when its store answers', () => {
    const [port] = mainsheet.ports;
    const { startupProbe, livenessProbe, readinessProbe } = mainsheet;
    for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
      assert.equal(probe.httpGet.port, port.name);
    }
    assert.equal(startupProbe.httpGet.path, '/healthz');
    assert.equal(livenessProbe.httpGet.path, '/healthz');
    // A broken spec must not turn webhooks away, which GitHub would not send again.
    assert.equal(readinessProbe.httpGet.path, '/readyz?check=store');
  });
});
