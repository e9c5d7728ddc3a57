import type { ChainTrigger } from '../../model/chain.ts';
import type { DeploymentSpec, LoadedSpec } from '../../model/deployment-spec.ts';

/** A spec in a chain, and where it stands: levels go along the chain, slots beside each other, both from 0. */
export interface ChainNode {
  spec: DeploymentSpec;
  level: number;
  slot: number;
}

/** One spec starts another. */
export interface ChainEdge {
  from: string;
  to: string;
  trigger: ChainTrigger;
}

/** Specs that start each other, directly or through others. */
export interface ChainGraph {
  /** In the order in which they start each other. */
  nodes: ChainNode[];
  edges: ChainEdge[];
}

/** The chains of these specs; what is started by a spec that is not among them begins one. Pure. */
export function chainGraphs(specs: readonly LoadedSpec[]): ChainGraph[] {
  const known = new Map(specs.map(({ spec }) => [spec.name, spec]));
  const edges = specs.flatMap(({ spec }) =>
    (spec.on.deployments ?? [])
      .filter((trigger) => known.has(trigger.spec))
      .map((trigger): ChainEdge => ({ from: trigger.spec, to: spec.name, trigger })),
  );
  const seen = new Set<string>();
  const graphs: ChainGraph[] = [];
  for (const { from } of edges) {
    if (seen.has(from)) continue;
    const members = together(from, edges);
    for (const name of members) seen.add(name);
    const own = edges.filter((edge) => members.has(edge.from));
    const nodes = place(members, own, known);
    if (nodes.length > 0) graphs.push({ nodes, edges: own });
  }
  return graphs;
}

/** All that hangs together with a spec. */
function together(start: string, edges: readonly ChainEdge[]): Set<string> {
  const members = new Set([start]);
  for (const name of members) {
    for (const { from, to } of edges) {
      if (from === name) members.add(to);
      if (to === name) members.add(from);
    }
  }
  return members;
}

/** The first that a spec starts stands beside it, the others below. */
function place(
  members: ReadonlySet<string>,
  edges: readonly ChainEdge[],
  known: ReadonlyMap<string, DeploymentSpec>,
): ChainNode[] {
  const levels = levelsOf(members, edges);
  const placed = new Map<string, ChainNode>();
  const taken = new Set<string>();
  let last = -1;

  function put(name: string, beside: number | undefined): void {
    const spec = known.get(name);
    if (spec === undefined || placed.has(name)) return;
    const level = levels.get(name) ?? 0;
    let slot = beside ?? last + 1;
    while (taken.has(`${level} ${slot}`)) slot += 1;
    taken.add(`${level} ${slot}`);
    last = Math.max(last, slot);
    placed.set(name, { spec, level, slot });
    const next = edges.filter(({ from }) => from === name).map(({ to }) => to);
    next
      .filter((to) => !placed.has(to))
      .forEach((to, index) => put(to, index === 0 ? slot : undefined));
  }

  for (const name of members) if ((levels.get(name) ?? 0) === 0) put(name, undefined);
  return [...placed.values()];
}

/** How many others have to go before each. */
function levelsOf(
  members: ReadonlySet<string>,
  edges: readonly ChainEdge[],
): ReadonlyMap<string, number> {
  const levels = new Map([...members].map((name) => [name, 0]));
  // A chain that comes back to itself is no valid one: so many rounds are enough for any other.
  for (const _ of members) {
    for (const { from, to } of edges) {
      levels.set(
        to,
        Math.min(members.size, Math.max(levels.get(to) ?? 0, (levels.get(from) ?? 0) + 1)),
      );
    }
  }
  return levels;
}
