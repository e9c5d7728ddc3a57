import assert from 'node:assert/strict';
import { createForge, type Forge, type ForgeOptions } from '../../demo/forge.ts';
import { createSample, type FileChange, type Sample } from '../../demo/sample.ts';
import { asAdmin } from './admin.ts';
import { startController, type Controller } from './controller.ts';
import { deafUrl } from './deaf.ts';
import { until } from './until.ts';

export const SITE = 'acme/storefront';
export const HUB = 'acme/hub';

export interface RunView {
  id: string;
  spec: string;
  sha: string;
  state: string;
  reason: string;
  fault: string | null;
  delivery: string;
  environment: string;
  outputs: Record<string, string>;
}

export interface ExplainView {
  state: string;
  summary: string;
  specs: {
    spec: string;
    matched: boolean;
    run: string | null;
    reasons: { condition: string; held: boolean; detail: string }[];
  }[];
}

const ENDS = new Set(['succeeded', 'failed', 'cancelled', 'superseded']);

/** A forge, a controller that listens to it, and a developer's clone. */
export interface World {
  forge: Forge;
  controller: Controller;
  sample: Sample;
  runs: (filter?: string) => Promise<RunView[]>;
  /** Sends what is pushed from now on to the controller: one that was started again listens at another port. */
  hear: () => void;
  /** `controller.dieAt` for each of the failpoints in turn, then starts it again. `listening` is done once, by the first. */
  survives: (failpoints: readonly string[], listening: () => Promise<unknown>) => Promise<void>;
  /** Pushes a commit whose delivery does not arrive; `deliver` makes it arrive. */
  pushUnheard: (
    branch: string,
    message: string,
  ) => Promise<{ sha: string; deliver: () => ReturnType<Forge['redeliver']> }>;
  /** Waits until the delivery has been processed, and explains it. */
  explained: (delivery: string) => Promise<ExplainView>;
  /** Waits for the delivery of the push of `sha`, and explains it. */
  explainedPush: (sha: string) => Promise<ExplainView>;
  /** Waits until the run of this commit has ended. */
  ended: (sha: string, spec?: string) => Promise<RunView>;
  /** Waits until GitHub shows this commit status, and returns its description. */
  statusOf: (sha: string, context: string, state: string) => Promise<string>;
  /** Waits until nothing is left to send. */
  settled: () => Promise<void>;
  log: (run: string) => Promise<string>;
  /** Ends everything. Fails when a request to GitHub did not fit GitHub's API description. */
  close: () => Promise<void>;
}

/** What GitHub says that the webhook's address is. */
const PUBLIC_URL = 'https://mainsheet.example/webhooks/v1/github';

export async function createWorld(options: {
  specs: Record<string, string>;
  env?: Record<string, string>;
  /** Whom the controller runs as; only root can choose. */
  uid?: number;
  /** Where the controller's data is. */
  disk?: { directory: string; enter: readonly string[] };
  forge?: Partial<ForgeOptions>;
  files?: Record<string, FileChange>;
  /** As whom the controller speaks to the forge; default with its token. */
  credentials?: 'token' | 'app';
  /** Whether GitHub tells of this receiver, so that what it has missed is taken in: at any time, not only at a start. */
  recovers?: boolean;
}): Promise<World> {
  const forge = await createForge({
    repositories: [SITE, HUB],
    // A machine that is busy is not what is tested.
    webhookTimeoutMs: 60_000,
    ...options.forge,
  });
  const sample = await createSample(forge, SITE, options.files ?? { 'README.md': 'shop\n' });
  const controller = await startController({
    forge,
    specs: options.specs,
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.disk === undefined ? {} : { disk: options.disk }),
    env: { ...(options.credentials === 'app' ? appCredentials(forge) : {}), ...options.env },
  }).catch(async (error: unknown) => {
    // Else the file would wait for its servers instead of failing.
    await forge.close();
    throw error;
  });

  const runs = async (filter = '') =>
    (await controller.get<{ items: RunView[] }>(`/runs?limit=200${filter}`)).items;

  const hear = () =>
    forge.hook({
      url: controller.webhookUrl,
      secret: controller.secret,
      ...(options.recovers === true ? { publicUrl: PUBLIC_URL } : {}),
    });
  hear();

  const explained = (delivery: string) =>
    until(`delivery ${delivery} processed`, async () => {
      const view = await controller.get<ExplainView>(`/deliveries/${delivery}/explain`);
      return view.state !== 'pending' && view;
    });

  return {
    forge,
    controller,
    sample,
    runs,
    hear,
    async survives(failpoints, listening) {
      for (const [index, failpoint] of failpoints.entries()) {
        await controller.dieAt(failpoint, async () => {
          hear();
          if (index === 0) await listening();
        });
      }
      await controller.restart();
      hear();
    },
    async pushUnheard(branch, message) {
      forge.hook({ url: await deafUrl(), secret: controller.secret });
      const sha = await sample.commit({ message, branch });
      await sample.push(branch);
      const { id } = await forge.waitForDelivery(
        ({ body }) => body.includes(`"after":"${sha}"`),
        30_000,
      );
      hear();
      return { sha, deliver: () => forge.redeliver(id) };
    },
    explained,
    async explainedPush(sha) {
      const delivery = await forge.waitForDelivery(
        ({ event, body }) => event === 'push' && body.includes(`"after":"${sha}"`),
        30_000,
      );
      assert.equal(delivery.status, 202);
      return await explained(delivery.id);
    },
    ended: (sha, spec) =>
      until(`the run of ${sha} ended`, async () =>
        (await runs(`&sha=${sha}`)).find(
          (run) => (spec === undefined || run.spec === spec) && ENDS.has(run.state),
        ),
      ),
    statusOf: (sha, context, state) =>
      until(`${context} of ${sha} is ${state}`, async () => {
        const latest = (await forge.statuses(SITE, sha)).find((one) => one['context'] === context);
        const description = latest?.['description'];
        return latest?.['state'] === state && typeof description === 'string' && description;
      }),
    settled: async () => {
      await until('the outbox is empty', async () => {
        const { items } = await controller.get<{ items: unknown[] }>('/outbox?state=pending');
        return items.length === 0;
      });
    },
    async log(run) {
      const url = `${controller.url}/api/v1/runs/${run}/log`;
      return await (await asAdmin(url, {}, controller.token)).text();
    },
    async close() {
      await controller.remove();
      await sample.close();
      const problems = forge.problems();
      await forge.close();
      assert.deepEqual(problems, [], 'every request fits the API description of GitHub');
    },
  };
}

/** What makes a controller speak to the forge as its App. */
export function appCredentials({ appId = '', privateKey = '' }: Forge): Record<string, string> {
  return { GITHUB_APP_ID: appId, GITHUB_APP_PRIVATE_KEY: privateKey, GITHUB_TOKEN: '' };
}
