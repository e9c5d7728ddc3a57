import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createForge, type Forge } from '../../demo/forge.ts';
import { createSample, type Sample } from '../../demo/sample.ts';
import { startController, type Controller } from '../support/controller.ts';
import type { Random } from '../support/random.ts';
import { chaosSpecsYaml, HUB, PAGES, SHOP } from './specs.ts';

/** The databases that the chaos can be run on. */
export type ChaosEngine = 'sqlite';

/** A real controller, real git, a stand-in for GitHub, and developers who push. */
export interface ChaosWorld {
  forge: Forge;
  controller: Controller;
  /** The file that steps write into. */
  book: string;
  /** The `mark` in each commit that was pushed to a `main`. */
  marks: ReadonlyMap<string, string>;
  /** The last commit that was pushed to the repository's `main`; undefined when none was. */
  newest(repository: string): string | undefined;
  /** One commit, pushed. Resolves when git has taken it; its delivery is sent after that. */
  push(random: Random): Promise<void>;
  /** Tells the forge where the controller is now. */
  hook(): void;
  /** Ids of all deliveries so far, and those of them that got their 202. */
  deliveries(): { all: string[]; acknowledged: Set<string> };
  close(): Promise<void>;
}

/** The controller is up, nothing was pushed yet. */
export async function createChaosWorld(): Promise<ChaosWorld> {
  const forge = await createForge({ repositories: [SHOP, PAGES, HUB] });
  const root = await mkdtemp(join(tmpdir(), 'mainsheet-chaos-'));
  const book = join(root, 'book');
  const samples: Sample[] = [];
  for (const repository of [SHOP, PAGES]) {
    samples.push(await createSample(forge, repository, { mark: 'first', pace: '0' }));
  }
  // Compiled once: a start is most of what a kill costs. The first process leaves its cache behind when it stops.
  const env = { NODE_COMPILE_CACHE: join(root, 'compiled') };
  const specs = { 'all.yaml': chaosSpecsYaml(book) };
  const controller = await startController({ forge, specs, env });
  const marks = new Map<string, string>();
  const newest = new Map<string, string>();
  const hook = () => forge.hook({ url: controller.webhookUrl, secret: controller.secret });
  hook();

  return {
    forge,
    controller,
    book,
    marks,
    newest: (repository) => newest.get(repository),
    hook,
    async push(random) {
      const sample = random.pick(samples);
      const mark = `m${marks.size}`;
      const sha = await sample.commit({
        files: { mark, pace: String(random.int(0, 5)) },
        message: mark,
      });
      marks.set(sha, mark);
      newest.set(sample.repository, sha);
      // Now and then several branches at once, of which no spec names the other.
      await sample.push(random.chance(0.2) ? ['main', `main:topic-${mark}`] : 'main');
    },
    deliveries() {
      const acknowledged = forge.deliveries.filter(({ status }) => status === 202);
      return {
        all: [...new Set(forge.deliveries.map(({ id }) => id))],
        acknowledged: new Set(acknowledged.map(({ id }) => id)),
      };
    },
    async close() {
      await controller.remove();
      await Promise.all(samples.map((sample) => sample.close()));
      await forge.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}
