import leven from 'leven';
import { isServerToken } from './servers.ts';
import { PLAIN_VARIABLES, SECRET_VARIABLES, type Environment } from './variables.ts';

const PREFIX = 'MAINSHEET_';
const KNOWN: readonly string[] = [
  ...PLAIN_VARIABLES,
  ...SECRET_VARIABLES,
  ...SECRET_VARIABLES.map((name) => `${name}_FILE`),
];
/** Known, but not to the configuration: the CLI's own, and what a step sees that starts the CLI. */
const ELSEWHERE =
  /^MAINSHEET_(?:URL|RUN_ID|SPEC|ENVIRONMENT|REPOSITORY|REF|BRANCH|TAG|SHA|EVENT|DELIVERY|EVENT_PATH|OUTPUT|WORKSPACE)$/;
/** Kubernetes sets these in every pod for a service called mainsheet: https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables */
const KUBERNETES = /_SERVICE_(?:HOST|PORT|PORT_\w+)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?$/;

/** A warning for every variable that begins like Mainsheet's and is none, with the one that was probably meant. */
export function unknownVariables(env: Environment): string[] {
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && env[name] !== undefined)
    .filter((name) => !KNOWN.includes(name) && !name.startsWith('MAINSHEET_SECRET_'))
    .filter((name) => !isServerToken(name))
    .filter((name) => !ELSEWHERE.test(name) && !KUBERNETES.test(name))
    .filter((name) => !/^(?:tcp|udp|sctp):\/\//.test(env[name] ?? ''))
    .sort()
    .map((name) => {
      const meant = nearest(name);
      const hint = meant === undefined ? 'remove it' : `did you mean ${meant}?`;
      return `${name} is not a variable that Mainsheet knows: ${hint}`;
    });
}

function nearest(name: string): string | undefined {
  const bare = name.slice(PREFIX.length);
  if (KNOWN.includes(bare)) return bare;
  const [best] = KNOWN.map((known) => ({ known, distance: leven(name, known) })).sort(
    (a, b) => a.distance - b.distance,
  );
  // The prefix is the same anyway; what is behind it should be mostly the same too.
  return best !== undefined && best.distance <= Math.ceil(bare.length / 3) ? best.known : undefined;
}
