/** A push as GitHub sends it, as far as Mainsheet reads it. */
export function pushPayload(options: { branch?: string; sha?: string; commits?: number } = {}) {
  const { branch = 'main', sha = 'a'.repeat(40), commits = 1 } = options;
  const before = 'b'.repeat(40);
  const commit = {
    id: sha,
    message: 'Change a file',
    added: ['src/new.ts'],
    removed: [],
    modified: ['README.md'],
  };
  return {
    ref: `refs/heads/${branch}`,
    before,
    after: sha,
    created: false,
    deleted: false,
    forced: false,
    compare: `https://github.com/acme/storefront/compare/${before}...${sha}`,
    commits: Array.from({ length: commits }, () => commit),
    head_commit: commit,
    repository: { full_name: 'acme/storefront', name: 'storefront', owner: { login: 'acme' } },
  };
}
