import { isMap, parseDocument, type Document } from 'yaml';
import type { OwnCheckout } from './own-checkout.ts';

/** What a proposal is made from. */
export interface RepositoryFacts extends Pick<OwnCheckout, 'repository' | 'branch'> {
  /** Paths of all files, from the repository's top. */
  files: readonly string[];
  /** The text of a file among them; '' when it cannot be read. */
  read: (path: string) => string;
}

interface Step {
  name: string;
  /** A script, or the lines of a step of another kind. */
  run: string | { lines: string[] };
  /** What in the repository it comes from. */
  because: string;
  /** It changes something outside of the checkout, so the user is to switch it on. */
  isOff?: true;
}

/** By lock file: how dependencies are installed as it says, and what runs a script. */
const PACKAGE_MANAGERS: [lock: string, install: string, run: string][] = [
  ['pnpm-lock.yaml', 'pnpm install --frozen-lockfile', 'pnpm run'],
  ['yarn.lock', 'yarn install --immutable', 'yarn run'],
  ['bun.lock', 'bun install --frozen-lockfile', 'bun run'],
  ['package-lock.json', 'npm ci', 'npm run'],
  ['package.json', 'npm install', 'npm run'],
];
const BUILDS: [file: string, run: string][] = [
  ['go.mod', 'go build ./...'],
  ['Cargo.toml', 'cargo build --release --locked'],
  ['pom.xml', 'mvn --batch-mode package'],
  ['gradlew', './gradlew build'],
  ['uv.lock', 'uv sync --frozen'],
  ['requirements.txt', 'python3 -m venv .venv && .venv/bin/pip install -r requirements.txt'],
];
const MANIFEST_FOLDERS = ['k8s', 'kubernetes', 'manifests', 'deploy', 'deploy/k8s'];

/** The name of the spec for a repository, which also names its file. */
export function specNameOf(repository: string): string {
  const name = repository.split('/')[1] ?? '';
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'site'
  );
}

/** A spec with comments, as YAML. What would change something outside of the checkout is there as a comment. */
export function proposeSpec(facts: RepositoryFacts): string {
  const { repository, branch } = facts;
  const steps = stepsFor(facts);
  const live = steps.some(({ isOff }) => !isOff)
    ? steps
    : [{ name: 'Say it', run: 'echo "deploying $MAINSHEET_SHA"', because: EMPTY }, ...steps];
  return [
    `# Proposed by "mainsheet init" from the files of ${repository}. All that a spec can say: docs/specs.md.`,
    `name: ${specNameOf(repository)}`,
    `repository: ${repository}`,
    '# GitHub lists deployments by environment. One deployment of an environment runs at a time, the newest commit wins.',
    'environment: production',
    'on:',
    '  push:',
    `    branches: [${quoted(branch.replace(/[+!]/g, '\\$&'))}]`,
    '    # Only when these change:',
    "    # paths: ['src/**']",
    '# A secret is named here and given to the server; steps get it as an environment variable.',
    '# secrets: [REGISTRY_TOKEN]',
    'timeout: 15m',
    'steps:',
    ...live.flatMap(linesOf),
    '# Another repository can hear of it:',
    '# notify:',
    '#   - on: [succeeded]',
    `#     dispatch: { repository: ${repository.split('/')[0]}/hub, event-type: component-updated }`,
    '',
  ].join('\n');
}

const EMPTY = 'nothing to build was found: write here what deploys this repository';

function linesOf({ name, run, because, isOff }: Step): string[] {
  const does = typeof run === 'string' ? [`run: ${quoted(run)}`] : run.lines;
  const lines = [`- name: ${quoted(name)}`, ...does.map((line) => `  ${line}`)];
  const mark = isOff ? '  # ' : '  ';
  return [`  # ${because}`, ...lines.map((line) => mark + line)];
}

function stepsFor(facts: RepositoryFacts): Step[] {
  return [
    ...buildSteps(facts),
    ...imageSteps(facts),
    ...clusterSteps(facts),
    ...deploySteps(facts),
  ];
}

function buildSteps({ files, read }: RepositoryFacts): Step[] {
  const steps: Step[] = [];
  const [lock, install, script] = PACKAGE_MANAGERS.find(([file]) => files.includes(file)) ?? [];
  if (lock !== undefined && install !== undefined && files.includes('package.json')) {
    steps.push({ name: 'Install', run: install, because: `${lock} is there` });
    for (const name of ['build', 'deploy']) {
      if (!hasScript(read('package.json'), name)) continue;
      const because = `package.json has the script "${name}"`;
      const title = name === 'build' ? 'Build' : 'Deploy';
      steps.push({ name: title, run: `${script} ${name}`, because });
    }
  }
  const build = BUILDS.find(([file]) => files.includes(file));
  if (build) steps.push({ name: 'Build', run: build[1], because: `${build[0]} is there` });
  return steps;
}

function imageSteps({ files, repository }: RepositoryFacts): Step[] {
  if (!files.includes('Dockerfile')) return [];
  const image = `ghcr.io/${repository.toLowerCase()}:$MAINSHEET_SHA`;
  const because = 'Dockerfile is there; the machine of the server needs docker';
  return [
    { name: 'Build the image', run: `docker build --tag "${image}" .`, because, isOff: true },
    {
      name: 'Push the image',
      run: `docker push "${image}"`,
      because: 'after "docker login" for the user that the server runs as',
      isOff: true,
    },
  ];
}

function clusterSteps({ files }: RepositoryFacts): Step[] {
  const folder = MANIFEST_FOLDERS.find((name) =>
    files.some((file) => file.startsWith(`${name}/`) && /\.ya?ml$/.test(file)),
  );
  const terraform = files.find((file) => /^(?:[\w.-]+\/)?[\w.-]+\.tf$/.test(file));
  const steps: Step[] = [];
  if (folder !== undefined) {
    const how = files.some((file) => /^kustomization\.ya?ml$/.test(file.slice(folder.length + 1)))
      ? '-k'
      : '-f';
    const because = `${folder}/ has manifests; the server needs kubectl and access to the cluster`;
    steps.push({ name: 'Apply', run: `kubectl apply ${how} ${folder}`, because, isOff: true });
  }
  if (terraform !== undefined) {
    const path = terraform.includes('/') ? (terraform.split('/')[0] ?? '.') : '.';
    steps.push({
      name: 'Apply with Terraform',
      run: { lines: [`terraform: { path: ${quoted(path)}, approve: changes }`] },
      because: `${terraform} is there; what changes something waits for an approval of its plan`,
      isOff: true,
    });
  }
  return steps;
}

function deploySteps({ files, read }: RepositoryFacts): Step[] {
  if (files.includes('Makefile') && /^deploy *:/m.test(read('Makefile'))) {
    return [{ name: 'Deploy', run: 'make deploy', because: 'Makefile has the target "deploy"' }];
  }
  if (!files.includes('deploy.sh')) return [];
  return [{ name: 'Deploy', run: 'bash deploy.sh', because: 'deploy.sh is there' }];
}

function hasScript(manifest: string, name: string): boolean {
  // YAML reads JSON, and what is neither has no scripts.
  const document: Document = parseDocument(manifest);
  return (
    document.errors.length === 0 && isMap(document.contents) && document.hasIn(['scripts', name])
  );
}

/** As it is where YAML takes it for text; else as JSON, which YAML reads too. */
function quoted(text: string): string {
  const isPlain = /^[A-Za-z][\w ./-]*$/.test(text) && !/^(?:true|false|null)$/i.test(text);
  return isPlain ? text : JSON.stringify(text);
}
