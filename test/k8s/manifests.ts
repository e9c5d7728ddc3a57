import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

interface Named {
  name: string;
}

interface Probe {
  httpGet: { path: string; port: string };
}

interface Container extends Named {
  image: string;
  envFrom: { configMapRef: Named }[];
  env: {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef: { name: string; key: string } };
  }[];
  volumeMounts: { name: string; mountPath: string; readOnly?: boolean }[];
  ports: [{ name: string; containerPort: number }];
  startupProbe: Probe;
  livenessProbe: Probe;
  readinessProbe: Probe;
  resources: { requests: Record<string, string>; limits: Record<string, string> };
  securityContext: {
    allowPrivilegeEscalation: boolean;
    readOnlyRootFilesystem: boolean;
    capabilities: { drop: string[]; add?: string[] };
    privileged?: boolean;
  };
}

interface PodSpec {
  serviceAccountName: string;
  automountServiceAccountToken: boolean;
  enableServiceLinks: boolean;
  terminationGracePeriodSeconds: number;
  securityContext: {
    runAsNonRoot: boolean;
    runAsUser: number;
    fsGroup: number;
    seccompProfile: { type: string };
  };
  hostNetwork?: boolean;
  hostPID?: boolean;
  hostIPC?: boolean;
  initContainers?: Container[];
  containers: [Container];
  volumes: {
    name: string;
    emptyDir?: object;
    configMap?: Named;
    secret?: { secretName: string; optional?: boolean; defaultMode?: number };
    hostPath?: object;
  }[];
}

interface StatefulSet {
  spec: {
    replicas: number;
    serviceName: string;
    selector: { matchLabels: Record<string, string> };
    template: { metadata: { labels: Record<string, string> }; spec: PodSpec };
    volumeClaimTemplates: { metadata: Named }[];
  };
}

export interface Kustomization {
  namespace: string;
  resources: string[];
  configMapGenerator: { name: string; literals?: string[]; files?: string[]; behavior?: string }[];
  patches?: { path: string }[];
}

/** A manifest of any other kind, as far as it is looked at. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
  automountServiceAccountToken?: boolean;
  spec: {
    selector: Record<string, string>;
    ports: { name: string; port: number; targetPort: string }[];
    rules: {
      http: {
        paths: {
          path: string;
          pathType: string;
          backend: { service: { name: string; port: Named } };
        }[];
      };
    }[];
    podSelector: { matchLabels: Record<string, string> };
    policyTypes: string[];
    ingress: { ports: { port: number | string }[] }[];
    egress: { ports: { port: number | string; protocol: string }[] }[];
  };
}

export const BASE = fileURLToPath(new URL('../../k8s/base', import.meta.url));
export const OVERLAY = fileURLToPath(new URL('../../k8s/examples/overlay', import.meta.url));

/** Whatever a YAML file holds; its reader says what that is. */
export const readYaml = (path: string) => parse(readFileSync(path, 'utf8'));

export const kustomization: Kustomization = readYaml(join(BASE, 'kustomization.yaml'));

export const manifests: Manifest[] = kustomization.resources.map((file) =>
  readYaml(join(BASE, file)),
);

/** The only manifest of its kind. */
export function find(kind: string): Manifest {
  const [found, ...others] = manifests.filter((manifest) => manifest.kind === kind);
  if (found === undefined || others.length > 0) throw new Error(`k8s/base needs one ${kind}`);
  return found;
}

export const statefulSet: StatefulSet = readYaml(join(BASE, 'stateful-set.yaml'));
export const pod = statefulSet.spec.template.spec;
export const [mainsheet] = pod.containers;
