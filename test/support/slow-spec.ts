import { SITE } from './world.ts';

/** A spec `slow` of `main` whose step says that it has started, waits for a file `go-on` in `NOTES`, and says so. */
export const SLOW_SPEC = `
name: slow
repository: ${SITE}
on: { push: { branches: [main] } }
secrets: [NOTES]
steps:
  - name: Wait
    run: |
      echo started
      until [ -e "$NOTES/go-on" ]; do sleep 0.05; done
      echo went on
`;
