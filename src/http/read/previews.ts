import { hasEnded, type Run } from '../../model/run.ts';
import type { Store } from '../../store/index.ts';
import type { Preview } from '../../store/previews.ts';
import type { Viewer } from '../auth/viewer.ts';

/** So many are shown. */
const MOST = 200;

export interface PreviewView {
  preview: Preview;
  run: Run | undefined;
  /** Where it is, when its steps have told. */
  url: string | undefined;
  /** `left`: it was to be taken down, and nothing does so any more: its teardown has failed, or came to nothing. */
  state: 'live' | 'ending' | 'left';
}

/** The previews of pull requests that are there, as far as a viewer may see them: first the one that ends first. */
export async function readPreviews(
  store: Pick<Store, 'previews' | 'runs' | 'inbox'>,
  viewer: Viewer,
): Promise<PreviewView[]> {
  const seen = await store.previews.open(MOST, viewer.visible);
  return await Promise.all(
    seen.map(async (preview): Promise<PreviewView> => {
      const run = preview.runId === '' ? undefined : await store.runs.get(preview.runId);
      const url = URL.parse(run?.outputs['environment_url'] ?? '');
      return {
        preview,
        run,
        url: /^https?:$/.test(url?.protocol ?? '') ? url?.href : undefined,
        state: await stateOf(store, preview),
      };
    }),
  );
}

async function stateOf(
  { runs, inbox }: Pick<Store, 'runs' | 'inbox'>,
  { state, delivery }: Preview,
): Promise<PreviewView['state']> {
  if (state !== 'ending') return 'live';
  if (delivery === undefined) return 'left';
  const page = { limit: MOST, before: undefined };
  const { items } = await runs.list(page, { delivery });
  const isGoing = items.some((run) => !hasEnded(run.state));
  if (isGoing) return 'ending';
  return (await inbox.get(delivery))?.delivery.state === 'pending' ? 'ending' : 'left';
}
