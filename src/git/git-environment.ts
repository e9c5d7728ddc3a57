/** Where programs are usually found, for a caller that does not say. */
const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** No user's home, so it also tells our git processes from those of a user at work in our directories. */
const HOME = '/nonexistent';

/** What may come from the process's own environment: where programs and certificates are. */
const INHERITED = 'PATH TMPDIR SSL_CERT_FILE SSL_CERT_DIR GIT_SSL_CAINFO GIT_SSL_CAPATH'.split(' ');

/** Configuration that wins over every file: those that our git reads are set back before, and may be changed all the same. */
const SETTINGS: Record<string, string> = {
  'core.hooksPath': '/dev/null',
  'core.fsmonitor': 'false',
  'core.attributesFile': '/dev/null',
  'core.excludesFile': '/dev/null',
  'core.protectHFS': 'true',
  'core.protectNTFS': 'true',
  'core.symlinks': 'true',
  'core.fileMode': 'true',
  'core.trustctime': 'true',
  'core.checkStat': 'default',
  'core.sparseCheckout': 'false',
  // What git could know without reading the objects themselves.
  'core.commitGraph': 'false',
  'core.multiPackIndex': 'false',
  'core.untrackedCache': 'false',
  // It would write into directories that are to hold nothing but what we put there.
  'repack.updateServerInfo': 'false',
  'submodule.recurse': 'false',
  'diff.ignoreSubmodules': 'all',
  'credential.helper': '',
  'gc.auto': '0',
  'maintenance.auto': 'false',
};

/**
 * The whole environment of a git process: nothing is inherited but what is needed to start it and to reach the server.
 * System and user configuration, prompts, replace objects and LFS downloads are off. `protocols` are the only transports
 * git may use (`none` for calls that have no business with any); `settings` are passed as configuration through the
 * environment, which is neither on a disk nor in the process list.
 */
export function gitEnvironment(options: {
  inherited: Readonly<Record<string, string | undefined>> | undefined;
  protocols: 'none' | 'http:https';
  settings?: Record<string, string>;
}): Record<string, string> {
  const environment: Record<string, string> = { PATH: USUAL_PATH };
  for (const name of INHERITED) {
    const value = options.inherited?.[name];
    if (value !== undefined) environment[name] = value;
  }
  Object.assign(environment, {
    // Messages are read by this program, so they have to be in one language.
    LC_ALL: 'C',
    HOME,
    XDG_CONFIG_HOME: HOME,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_LFS_SKIP_SMUDGE: '1',
    GIT_ALLOW_PROTOCOL: options.protocols,
    GIT_PROTOCOL_FROM_USER: '0',
  });
  const settings = Object.entries({ ...SETTINGS, ...options.settings });
  environment['GIT_CONFIG_COUNT'] = String(settings.length);
  for (const [index, [key, value]] of settings.entries()) {
    environment[`GIT_CONFIG_KEY_${index}`] = key;
    environment[`GIT_CONFIG_VALUE_${index}`] = value;
  }
  return environment;
}

/** Whether a process with these variables (`NAME=value`) is a git of ours, or was started by one, in a repository below `directory`. */
export function isOurGit(variables: readonly string[], directory: string): boolean {
  const isBelow = variables.some((variable) => variable.startsWith(`GIT_DIR=${directory}/`));
  return isBelow && variables.includes(`HOME=${HOME}`);
}
