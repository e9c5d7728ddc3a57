import { formatDuration } from '../../../lib/duration.ts';
import { approvalOf } from '../../../model/step-gate.ts';
import type { DeploymentSpec } from '../../../model/deployment-spec.ts';
import { describeWaits } from '../../../model/step-gate.ts';
import { describeChain } from '../../../model/chain.ts';
import type { ChainEdge, ChainGraph, ChainNode } from '../../read/chain-graph.ts';
import type { Promotion } from '../../read/automation.ts';
import type { Place } from '../../read/overview.ts';
import { html, type Content, type Html } from '../html.ts';
import type { Frame } from '../layout.ts';
import { environmentPath } from './commit.ts';
import { stateIconIn, stateName } from './state.ts';

/** Pixels. */
const BOX = { wide: 264, high: 76 };
/** Between boxes beside each other, where what an arrow waits for is written, and below each other. */
const GAP = { across: 132, down: 20 };
/** On a narrow screen each box has a line of its own, further to the right with each level. */
const LINE = { wide: 326, indent: 22, high: 76, gap: 46 };
/** Of 12 pixels' text, on average and with room to spare. */
const LETTER = 6.9;

interface Box {
  node: ChainNode;
  x: number;
  y: number;
  wide: number;
}

interface Drawing {
  wide: number;
  high: number;
  boxes: Box[];
  /** The way of an arrow between two boxes, and where its words stand. */
  arrow(from: Box, to: Box): { path: string; x: number; y: number; anchor: 'middle' | 'start' };
}

/**
 * Specs as boxes, in the order in which they start each other, what has to hold between them on the arrows: beside each other, and for
 * narrow screens below each other. Style sheets show one of the two.
 */
export function chainPicture(
  frame: Frame,
  graph: ChainGraph,
  places: ReadonlyMap<string, Place>,
  promotions: readonly Promotion[],
): Html {
  const first = graph.nodes[0]?.spec.name ?? '';
  const draw = (drawing: Drawing, kind: string) => {
    const boxOf = (name: string) => drawing.boxes.find(({ node }) => node.spec.name === name);
    return html`<svg class="chain ${kind}" role="group" aria-label="The chain that begins with ${first}" width="${drawing.wide}" height="${drawing.high}">
${graph.edges.map((edge) => {
  const from = boxOf(edge.from);
  const to = boxOf(edge.to);
  const waits = promotions.filter((one) => one.to === edge.to && one.from === edge.from);
  return from && to ? arrow(edge, to.node.spec, drawing.arrow(from, to), waits) : '';
})}
${drawing.boxes.map((box) => boxOfSpec(frame, box, places.get(box.node.spec.name)))}
</svg>`;
  };
  return html`<div class="chain-room" role="region" aria-label="Chain of ${first}" tabindex="0">${draw(besideEachOther(graph), 'is-across')}${draw(belowEachOther(graph), 'is-down')}</div>`;
}

function besideEachOther({ nodes }: ChainGraph): Drawing {
  const boxes = nodes.map((node) => ({
    node,
    x: 1 + node.level * (BOX.wide + GAP.across),
    y: 1 + node.slot * (BOX.high + GAP.down),
    wide: BOX.wide,
  }));
  return {
    ...sizeOf(boxes),
    boxes,
    arrow(from, to) {
      const [x1, y1] = [from.x + from.wide, from.y + BOX.high / 2];
      const [x2, y2] = [to.x - 1, to.y + BOX.high / 2];
      const turn = x1 + 14;
      const path = y1 === y2 ? `M${x1} ${y1}H${x2}` : `M${x1} ${y1}H${turn}V${y2}H${x2}`;
      return { path, x: (turn + x2) / 2, y: y2, anchor: 'middle' };
    },
  };
}

function belowEachOther({ nodes }: ChainGraph): Drawing {
  const boxes = nodes.map((node, index) => {
    const x = 1 + node.level * LINE.indent;
    return { node, x, y: 1 + index * (LINE.high + LINE.gap), wide: LINE.wide - x };
  });
  return {
    ...sizeOf(boxes),
    boxes,
    arrow(from, to) {
      const x1 = from.x + LINE.indent / 2;
      const y2 = to.y + BOX.high / 2;
      const path = `M${x1} ${from.y + BOX.high}V${y2}H${to.x - 1}`;
      return { path, x: to.x + 4, y: to.y - LINE.gap / 2 + 2, anchor: 'start' };
    },
  };
}

function sizeOf(boxes: readonly Box[]): { wide: number; high: number } {
  return {
    wide: Math.max(...boxes.map(({ x, wide }) => x + wide)) + 1,
    high: Math.max(...boxes.map(({ y }) => y + BOX.high)) + 1,
  };
}

function boxOfSpec(frame: Frame, { node, x, y, wide }: Box, place: Place | undefined): Html {
  const { name, environment } = node.spec;
  const state = place?.state ?? 'none';
  const { deployed } = place ?? {};
  const left = x + 36;
  const room = wide - 48;
  const bold = cut(name, room / 1.25);
  return html`<a class="chain-box" href="${environmentPath(frame, name)}"><title>${name}: ${stateName(state)}${place?.pause === undefined ? '' : ', paused'}</title>
<rect x="${x}" y="${y}" width="${wide}" height="${BOX.high}" rx="8"/>
${stateIconIn(frame, place?.pause === undefined ? state : 'paused', { x: x + 12, y: y + 11 })}
<text class="chain-name" x="${left}" y="${y + 24}">${bold}</text>
<text class="chain-muted" x="${left}" y="${y + 43}">${cut(environment, room)}</text>
${
  deployed === undefined
    ? html`<text class="chain-muted" x="${left}" y="${y + 62}">Nothing deployed yet</text>`
    : html`<text class="chain-muted" x="${left}" y="${y + 62}"><tspan class="chain-sha">${deployed.sha.slice(0, 7)}</tspan><tspan dx="8">${cut(deployed.commit?.title ?? '', room - 60)}</tspan></text>`
}</a>`;
}

function arrow(
  { trigger }: ChainEdge,
  spec: DeploymentSpec,
  { path, x, y, anchor }: ReturnType<Drawing['arrow']>,
  waits: readonly Promotion[],
): Html {
  const isHeld = waits.length > 0;
  const above = [
    trigger.states.join() === 'succeeded' ? undefined : `if ${trigger.states.join(', ')}`,
    trigger.soakMs === 0 ? undefined : `healthy ${shortDuration(trigger.soakMs)}`,
  ].filter((line) => line !== undefined);
  const below = [
    spec.gates.some(({ kind }) => kind === 'approve') ||
    spec.steps.some((step) => approvalOf(step) !== undefined)
      ? 'approval'
      : undefined,
    spec.gates.some(({ kind }) => kind === 'window') ? 'window' : undefined,
  ].filter((line) => line !== undefined);
  const said = [`When it has ${describeChain(trigger)}`, ...describeWaits(spec)].join('. ');
  const lines: Content =
    anchor === 'middle'
      ? [
          ...above.map((line, index) => text(line, x, y - 8 - (above.length - 1 - index) * 16)),
          below.length === 0 ? '' : text(below.join(' + '), x, y + 18),
        ]
      : text([...above, ...below].join(' · '), x + 8, y + 2);
  return html`<g class="chain-arrow${isHeld ? ' is-held-up' : ''}"><title>${said}</title><path d="${path}"/><path class="chain-head" d="${headOf(path)}"/>${lines}</g>`;

  function text(words: string, at: number, line: number): Content {
    if (words === '') return '';
    const fitting = anchor === 'middle' ? cut(words, GAP.across - 16) : words;
    return html`<text x="${at}" y="${line}" text-anchor="${anchor}">${fitting}</text>`;
  }
}

/** The point of an arrow that ends going to the right. */
function headOf(path: string): string {
  const x = Number(/H([\d.]+)$/.exec(path)?.[1] ?? 0);
  const y = Number(/([\d.]+)H[\d.]+$/.exec(path)?.[1] ?? 0);
  return `M${x - 7} ${y - 4}L${x} ${y}L${x - 7} ${y + 4}z`;
}

/** `30m`, `1h 30m`. */
function shortDuration(ms: number): string {
  return formatDuration(ms).replace(/ 00[ms]$|\.0(?=s$)/, '');
}

function cut(text: string, room: number): string {
  const most = Math.floor(room / LETTER);
  const characters = Array.from(text);
  return characters.length <= most
    ? text
    : `${characters.slice(0, Math.max(1, most - 1)).join('')}…`;
}
