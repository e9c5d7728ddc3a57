import * as z from 'zod';
import type { Store } from '../../store/index.ts';
import { readPreviews, type PreviewView } from '../read/previews.ts';
import type { Told } from './tell.ts';
import { listOf, operation, type Operation } from './route.ts';

const time = z.iso.datetime().describe('ISO 8601, UTC');

export const previewSchema = z
  .object({
    spec: z.string(),
    repository: z.string(),
    number: z.int().describe('The pull request'),
    state: z
      .enum(['live', 'ending', 'left'])
      .describe('left: its teardown has failed, or came to nothing'),
    reason: z.string().nullable().describe('Why it is taken down, or was to be'),
    sha: z.string(),
    fork: z.boolean(),
    url: z.string().nullable(),
    run: z.string().nullable().describe('The newest that deploys it'),
    since: time.describe('When its newest commit came'),
    until: time.describe('When it is taken down'),
  })
  .meta({ id: 'Preview' });

/** The environments of pull requests. */
export function previewOperations(store: Pick<Store, 'previews' | 'runs' | 'inbox'>): Operation[] {
  return [
    operation('get', '/previews', {
      name: 'listPreviews',
      summary: 'Previews of pull requests, first the one that ends first; at most 200',
      answer: listOf(previewSchema),
      async serve({ viewer }) {
        const previews = await readPreviews(store, viewer);
        return { items: previews.map(toPreview), next: undefined };
      },
    }),
  ];
}

export function toPreview(view: PreviewView): Told<typeof previewSchema> {
  const { preview, run, url, state } = view;
  return {
    ...preview,
    state,
    reason: state === 'live' ? undefined : preview.reason,
    url,
    run: run?.id,
    since: preview.notedAt,
    until: preview.dueAt,
  };
}
