import type { Delivery } from '../../model/delivery.ts';
import type { DynamicHook, Hook, LoadedHook } from '../../model/hook.ts';
import type { Catalog } from '../../spec/catalog.ts';
import { hookTriggerOf } from '../../spec/match-hook.ts';
import type { PageRequest } from '../../store/page.ts';
import type { Store } from '../../store/index.ts';
import type { Viewer } from '../auth/viewer.ts';
import type { HookRefusals, RefusedCount } from '../hook-refusals.ts';

export interface HookViewDeps {
  store: Pick<Store, 'hooks' | 'inbox'>;
  catalog: Pick<Catalog, 'forHook' | 'hook' | 'hooks'>;
  refused: HookRefusals;
  /** Whether a secret of this name is set. */
  hasSecret: (name: string) => boolean;
  clock: { now(): number };
}

/** Which secret counts when; never the secret. */
export interface SecretView {
  /** The name of a configured one, the id of one that follows from a key. */
  name: string;
  /** Undefined for one that follows from a key: it is always there. */
  isSet: boolean | undefined;
  /** Milliseconds since the epoch. */
  from: number | undefined;
  until: number | undefined;
}

/** A hook as a viewer may see it. */
export interface HookView {
  id: string;
  /** The hook in a file; undefined when that is gone of which this one was made. */
  hook: Hook | undefined;
  at: { file: string; line: number } | undefined;
  /** Set for one that was made through the API. */
  dynamic: DynamicHook | undefined;
  /** What it can start or roll back, and the viewer may see. */
  specs: string[];
  /** Those of them that it rolls back. */
  rollsBack: string[];
  secrets: SecretView[];
  /** What was sent to it last and taken. */
  last: Delivery | undefined;
  refused: RefusedCount[];
}

/**
 * The hooks in files of which a viewer may see a spec that they start. What others are sent is in no repository, so their last
 * request and what was refused are for those who may see everything; so are hooks that were made through the API, whose ids let
 * requests in.
 */
export async function readHooks(deps: HookViewDeps, viewer: Viewer): Promise<HookView[]> {
  const seen = deps.catalog.hooks().filter((loaded) => isSeen(deps, viewer, loaded));
  return await Promise.all(seen.map((loaded) => configured(deps, viewer, loaded)));
}

/** Those that were made through the API, newest first. Undefined for those who may not see them. */
export async function readMadeHooks(
  deps: HookViewDeps,
  viewer: Viewer,
  request: PageRequest,
  owner?: string,
): Promise<{ items: HookView[]; next: string | undefined } | undefined> {
  if (viewer.visible !== undefined) return undefined;
  const { items, next } = await deps.store.hooks.list(request, owner);
  return { items: await Promise.all(items.map((one) => made(deps, one))), next };
}

/** Undefined for a hook that is not there, or that the viewer may not see. */
export async function readHook(
  deps: HookViewDeps,
  viewer: Viewer,
  id: string,
): Promise<HookView | undefined> {
  const loaded = deps.catalog.hook(id);
  if (loaded !== undefined) {
    return isSeen(deps, viewer, loaded) ? await configured(deps, viewer, loaded) : undefined;
  }
  if (viewer.visible !== undefined) return undefined;
  const dynamic = await deps.store.hooks.get(id);
  return dynamic && (await made(deps, dynamic));
}

function isSeen(deps: HookViewDeps, viewer: Viewer, { hook }: LoadedHook): boolean {
  return viewer.visible === undefined || specsOf(deps, viewer, hook.id).length > 0;
}

function specsOf({ catalog }: HookViewDeps, viewer: Viewer, id: string): string[] {
  return catalog
    .forHook(id)
    .filter(({ spec }) => viewer.canSee(spec.repository))
    .map(({ spec }) => spec.name);
}

function rolledBackBy({ catalog }: HookViewDeps, id: string): string[] {
  return catalog
    .forHook(id)
    .filter(({ spec }) => hookTriggerOf(spec, id)?.do === 'rollback')
    .map(({ spec }) => spec.name);
}

async function configured(
  deps: HookViewDeps,
  viewer: Viewer,
  { hook, file, line }: LoadedHook,
): Promise<HookView> {
  const { id } = hook;
  const isForAll = viewer.visible === undefined;
  return {
    id,
    hook,
    at: { file, line },
    dynamic: undefined,
    specs: specsOf(deps, viewer, id),
    rollsBack: rolledBackBy(deps, id),
    secrets: hook.secrets.map(({ name, from, until }) => ({
      name,
      isSet: deps.hasSecret(name),
      from,
      until,
    })),
    last: isForAll ? await deps.store.inbox.lastOfHook(id) : undefined,
    refused: isForAll ? deps.refused.of(id) : [],
  };
}

async function made(deps: HookViewDeps, dynamic: DynamicHook): Promise<HookView> {
  const { id } = dynamic;
  const hook = deps.catalog.hook(dynamic.hook)?.hook;
  const all = deps.catalog.forHook(dynamic.hook).map(({ spec }) => spec.name);
  const isWanted = (name: string) => dynamic.specs.length === 0 || dynamic.specs.includes(name);
  return {
    id,
    hook,
    at: undefined,
    dynamic,
    specs: all.filter(isWanted),
    rollsBack: rolledBackBy(deps, dynamic.hook),
    secrets: dynamic.secrets.map((secret) => ({
      name: secret.id,
      isSet: undefined,
      from: secret.createdAt,
      until: secret.until ?? undefined,
    })),
    last: await deps.store.inbox.lastOfHook(id),
    refused: deps.refused.of(id),
  };
}
