import {
  eventOf,
  TRIED_EVENTS,
  type EventTrial,
  type TriedEvent,
  type TryEvent,
} from '../../controller/operator/try-event.ts';
import type { LoadedSpec } from '../../model/deployment-spec.ts';
import type { Json } from '../../model/event.ts';
import { describeWaits } from '../../model/step-gate.ts';
import type { Guard } from '../guard.ts';
import { environmentPath } from './components/commit.ts';
import { readForm } from './form.ts';
import { html, pathTo, type Content, type Html } from './html.ts';
import { icon, type Frame } from './layout.ts';
import { costly, get, post, type PageRoute } from './page.ts';

/** Bytes of the form. */
const MOST = 1024 * 1024;
const MOST_FILES = 1000;

export interface TryPageDeps {
  guard: Pick<Guard, 'spec'>;
  tryEvent: TryEvent;
}

/** What was written into the form. */
interface Written {
  event: string;
  ref: string;
  files: string;
  payload: string;
}

/** What came of it: a verdict, or what is wrong with what was written. */
type Outcome = { trial: EventTrial; tried: TriedEvent } | { problem: string };

/** What an event would start, without starting anything. Only of the spec's own repository more than its name is said. */
export function tryRoutes({ guard, tryEvent }: TryPageDeps): PageRoute[] {
  async function judge(
    { spec }: LoadedSpec,
    { event, ref, files, payload: text }: Written,
    isPayload: boolean,
  ): Promise<Outcome> {
    if (isPayload) {
      const payload = readObject(text);
      if (payload === undefined) return { problem: 'The payload is not the JSON of an object.' };
      if (!/^[a-z_]{1,50}(?:@[a-z][a-z0-9-]{0,29})?$/.test(event)) {
        return { problem: `“${event}” is no event.` };
      }
      const tried = { name: event, payload };
      return { tried, trial: await tryEvent(tried) };
    }
    const name = TRIED_EVENTS.find((one) => one === event);
    if (name === undefined) return { problem: `“${event}” is no event that a ref is enough for.` };
    if (ref === '') return { problem: 'Name a branch or a tag.' };
    const tried = eventOf({
      event: name,
      repository: spec.repository,
      ref,
      files: files
        .split(/\r?\n/)
        .map((file) => file.trim())
        .filter(Boolean)
        .slice(0, MOST_FILES),
      workflow: spec.on.workflowRun?.workflows[0] ?? 'CI',
    });
    return { tried, trial: await tryEvent(tried) };
  }

  return [
    get('/specs/:name/try', async ({ frame, id: name }, viewer) => {
      const loaded = guard.spec(viewer, name);
      const { on } = loaded.spec;
      const event =
        on.push === undefined && on.release !== undefined
          ? 'release'
          : on.push === undefined && on.workflowRun !== undefined
            ? 'workflow_run'
            : 'push';
      return tryPage(frame, loaded, { event, ref: 'main', files: '', payload: '' }, undefined);
    }),
    costly(
      'always',
      post('/specs/:name/try', async ({ ctx, frame, id: name }, viewer) => {
        const loaded = guard.spec(viewer, name);
        const form = await readForm(ctx, MOST);
        const isPayload = form.has('payload');
        const written = {
          event: form.get('event')?.trim() ?? '',
          ref: form.get('ref')?.trim() ?? '',
          files: form.get('files') ?? '',
          payload: form.get('payload') ?? '',
        };
        const outcome = await judge(loaded, written, isPayload);
        const payload =
          'tried' in outcome && !isPayload
            ? JSON.stringify(outcome.tried.payload, undefined, 2)
            : written.payload;
        return tryPage(frame, loaded, { ...written, payload }, outcome);
      }),
    ),
  ];
}

function readObject(text: string): Json | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function tryPage(frame: Frame, loaded: LoadedSpec, written: Written, outcome: Outcome | undefined) {
  const { name, on, repository } = loaded.spec;
  const action = frame.root + pathTo(['specs', name, 'try']);
  // Other servers tell of no workflows.
  const events = TRIED_EVENTS.filter((one) => one !== 'workflow_run' || !repository.includes(':'));
  const hooks = (on.hooks ?? []).map(
    ({ id }) => html` <a href="${frame.root}${pathTo(['hooks', id])}">${id}</a>`,
  );
  const body = html`<main id="main" class="page">
<ol class="crumbs"><li><a href="${frame.root}specs">Specs</a></li><li><a class="break" href="${environmentPath(frame, name)}">${name}</a></li><li>Try</li></ol>
<div class="page-head"><div><h1 class="break">What would start ${name}?</h1><p class="muted">An event is judged by the specs in use. Nothing is stored and nothing runs; git is not asked.</p></div></div>
${outcome === undefined ? '' : 'problem' in outcome ? html`<div class="note is-warning spec-note" role="alert">${icon(frame, 'alert')}<p class="grow break">${outcome.problem}</p></div>` : verdictOf(frame, loaded, outcome)}
<div class="two-columns">
<section class="panel"><div class="panel-head">${icon(frame, 'branch')}<h2>By a ref</h2></div>
<form class="try" method="post" action="${action}">
<div class="try-row"><div><label class="label-text" for="event">Event</label><select class="field" id="event" name="event">${events.map(
    (one) =>
      html`<option${one === written.event.split('@')[0] ? html` selected` : ''}>${one}</option>`,
  )}</select></div>
<div><label class="label-text" for="ref">Branch or tag</label><input class="field mono" id="ref" name="ref" value="${written.ref}" placeholder="main, refs/tags/v1.2" maxlength="1000" autocomplete="off" spellcheck="false"></div></div>
<div><label class="label-text" for="files">Changed files of a push, one a line</label><textarea class="field mono" id="files" name="files" rows="4" spellcheck="false" placeholder="src/index.ts">${written.files}</textarea></div>
<div class="buttons"><button class="button is-primary">${icon(frame, 'play')}Try the ref</button></div>
</form></section>
<section class="panel"><div class="panel-head">${icon(frame, 'file-code')}<h2>By a payload</h2></div>
<form class="try" method="post" action="${action}">
<div><label class="label-text" for="event-name">Event</label><input class="field mono" id="event-name" name="event" value="${written.event}" maxlength="100" placeholder="push" autocomplete="off" spellcheck="false"></div>
<div><label class="label-text" for="payload">Payload, as JSON</label><textarea class="field mono" id="payload" name="payload" rows="8" spellcheck="false" placeholder='{"ref": "refs/heads/main", …}'>${written.payload}</textarea></div>
<div class="buttons"><button class="button is-primary">${icon(frame, 'play')}Try the payload</button></div>
</form></section>
</div>${hooks.length === 0 ? '' : html`<p class="muted try-more">Requests to hooks are tried on their own pages:${hooks}.</p>`}
</main>`;
  return { page: { title: `Try ${name}`, section: 'Specs' as const, body } };
}

function verdictOf(
  frame: Frame,
  { spec }: LoadedSpec,
  { trial, tried }: { trial: EventTrial; tried: TriedEvent },
): Content {
  const own = trial.specs.find((one) => one.spec === spec.name);
  if (own === undefined) {
    return html`<div class="note is-warning spec-note" role="status">${icon(frame, 'info')}<p class="grow break">It would start nothing here: ${trial.repository === undefined ? trial.said : `it is of ${trial.repository}, and ${spec.name} is for ${spec.repository}`}.</p></div>`;
  }
  const others = trial.specs.filter((one) => one !== own && one.verdict.matched);
  const waits = own.verdict.matched ? describeWaits(spec) : [];
  const title = own.verdict.matched
    ? `This ${kindOf(tried)} would start it`
    : `This ${kindOf(tried)} would not start it`;
  return html`<section class="panel spec-note" aria-label="What would happen"><div class="panel-head" role="status"><span class="tone is-${own.verdict.matched ? 'held' : 'none'}">${icon(frame, own.verdict.matched ? 'succeeded' : 'cancelled')}</span><h2>${title}</h2></div>
<div class="table-room" role="region" aria-label="Conditions" tabindex="0"><table class="figures-table conditions"><thead><tr><th scope="col">Condition</th><th scope="col">Held</th><th scope="col">What it saw</th></tr></thead><tbody>${own.verdict.reasons.map(
    ({ condition, held, detail }) =>
      html`<tr><th scope="row"><code>${condition}</code></th><td><span class="tone is-${held ? 'held' : 'unheld'}">${icon(frame, held ? 'check' : 'x')}<span class="for-readers">${held ? 'yes' : 'no'}</span></span></td><td class="break">${detail}</td></tr>`,
  )}</tbody></table></div>
${own.certain ? '' : note(html`The payload does not list all changed files: git is asked for them when it comes, so “paths” may come out otherwise.`)}${
    waits.length === 0 ? '' : note(html`A run would wait: ${waits.join('; ')}.`)
  }${
    others.length === 0
      ? ''
      : note(
          html`It would also start ${others.map(
            (one, index) =>
              html`${index === 0 ? '' : ', '}<a href="${environmentPath(frame, one.spec)}">${one.spec}</a>`,
          )}.`,
        )
  }</section>`;
}

function kindOf({ name }: TriedEvent): string {
  return name.split('@')[0]?.replaceAll('_', ' ') ?? 'event';
}

function note(text: Html): Html {
  return html`<p class="panel-body small muted">${text}</p>`;
}
