import { formatDuration } from '../../lib/duration.ts';
import type { Extract, Hook } from '../../model/hook.ts';
import type { HookView, SecretView } from '../read/hooks.ts';
import { environmentPath } from './components/commit.ts';
import { ago, exact } from './components/time.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';

/** What a hook is, which secrets count, and what it takes out of a request. */
export function hookSidebar(frame: Frame, view: HookView, publicUrl: string | undefined): Content {
  return [
    about(frame, view, publicUrl),
    secrets(frame, view.secrets),
    view.hook === undefined ? '' : inputs(view.hook, view),
  ];
}

function about(
  frame: Frame,
  { id, hook, dynamic, specs, rollsBack }: HookView,
  publicUrl: string | undefined,
): Html {
  const fact = (name: string, value: Content) =>
    html`<dt>${name}</dt><dd class="break">${value}</dd>`;
  const facts: Content[] = [
    fact('Address', html`<code>${publicUrl ?? ''}/webhooks/v1/hooks/${id}</code>`),
  ];
  if (dynamic !== undefined) {
    facts.push(
      fact('Owner', dynamic.owner),
      fact('Made', html`${ago(dynamic.createdAt, frame.now)} by ${dynamic.createdBy}`),
      fact('Expires', exact(dynamic.expiresAt)),
      fact(
        'Of',
        html`<a href="${frame.root}${pathTo(['hooks', dynamic.hook])}">${dynamic.hook}</a>`,
      ),
    );
  }
  facts.push(
    fact(
      'Starts',
      hook?.server !== undefined
        ? `what specs of ${hook.server} say`
        : specs.length === 0
          ? html`<span class="muted">no spec</span>`
          : specs.map(
              (name) =>
                html`<p><a href="${environmentPath(frame, name)}">${name}</a>${rollsBack.includes(name) ? html` <span class="muted">is rolled back</span>` : ''}</p>`,
            ),
    ),
  );
  if (hook !== undefined) {
    facts.push(
      fact('Takes', `${hook.methods.join(', ')} of ${hook.contentTypes.join(', ')}`),
      hook.addresses.length === 0 ? '' : fact('From', hook.addresses.join(', ')),
      hook.clientCertificate === undefined ? '' : fact('Certificate', 'of the client, checked'),
      hook.rate === undefined
        ? ''
        : fact('At most', `${hook.rate.count} in ${formatDuration(hook.rate.perMs)}`),
      hook.ratePerAddress === undefined
        ? ''
        : fact(
            'Of one address',
            `${hook.ratePerAddress.count} in ${formatDuration(hook.ratePerAddress.perMs)}`,
          ),
      hook.if === undefined ? '' : fact('If', html`<code>${hook.if}</code>`),
      hook.dedupe === undefined ? '' : fact('Once by', html`<code>${hook.dedupe}</code>`),
      hook.waitMs === 0 ? '' : fact('Waits', `${formatDuration(hook.waitMs)} for the result`),
    );
  }
  return html`<section class="side-part"><h2>About</h2><dl class="facts">${facts}</dl></section>`;
}
function secrets(frame: Frame, all: readonly SecretView[]): Html {
  const when = ({ from, until: end, isSet }: SecretView): Content => {
    if (isSet === false) return html`<span class="tone is-failed">not set</span>`;
    if (end !== undefined && end <= frame.now) return 'counts no more';
    if (end !== undefined) return html`counts until ${exact(end)}`;
    if (from !== undefined && from > frame.now) return html`counts from ${exact(from)}`;
    return isSet === undefined ? html`made ${ago(from ?? 0, frame.now)}` : 'set';
  };
  return html`<section class="side-part"><h2>Secrets</h2>${
    all.length === 0
      ? html`<p class="muted">None: only hooks that were made of it through the API take requests.</p>`
      : html`<ul class="side-list">${all.map(
          (one) =>
            html`<li>${icon(frame, 'key')}<div><p class="mono break">${one.name}</p><p class="small muted break">${when(one)}</p></div></li>`,
        )}</ul>`
  }</section>`;
}
function inputs({ extract }: Hook, { dynamic }: HookView): Content {
  const all = Object.entries(extract);
  if (all.length === 0) return '';
  const fixed = dynamic?.inputs ?? {};
  return html`<section class="side-part"><h2>Inputs</h2><dl class="facts">${all.map(
    ([name, one]) =>
      html`<dt class="mono break">${name}</dt><dd class="break">${
        Object.hasOwn(fixed, name)
          ? html`<span class="muted">always</span> <code>${JSON.stringify(fixed[name])}</code>`
          : html`<code>${sourceOf(one)}</code> <span class="muted">${one.type}${one.required ? ', required' : ''}</span>`
      }</dd>`,
  )}</dl></section>`;
}
function sourceOf({ from }: Extract): string {
  switch (from.kind) {
    case 'json':
      return from.path;
    case 'expression':
      return from.expression;
    default:
      return `${from.kind} ${from.name}`;
  }
}
