/** For tests that need a second user: only root may become another user. */
export const needsRoot = {
  skip: process.getuid?.() === 0 && process.platform === 'linux' ? false : 'needs root on Linux',
};

/** A user and a group that are used by nothing else. */
export const STEP_USER = { uid: 61_234, gid: 61_235 };
