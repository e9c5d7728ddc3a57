import type { Context } from 'koa';
import { html, type Content, type Html } from '../html.ts';
import type { PageAnswer } from '../page.ts';

/** A question before something is done: a dialog on the page that asked, or a page of its own without a script. */
export function confirm(
  ctx: Context,
  question: {
    title: string;
    text: Content;
    /** Where the form goes. */
    action: string;
    /** Undefined where nothing can be done. */
    button: string | undefined;
    isDangerous: boolean;
    /** Where "Keep it" leads. */
    back: string;
  },
): PageAnswer {
  const form: Html = html`<form class="ask" method="post" action="${question.action}">
<h1 id="ask-title">${question.title}</h1>
${question.text}
<div class="buttons"><a class="button" data-close href="${question.back}">Not now</a>${question.button === undefined ? '' : html`<button class="button ${question.isDangerous ? 'is-danger is-strong' : 'is-primary'}">${question.button}</button>`}</div>
</form>`;
  if (ctx.get('HX-Request') === 'true') return { piece: form };
  const body = html`<main id="main" class="page"><div class="panel ask-narrow">${form}</div></main>`;
  return { page: { title: question.title, body } };
}

/** Asks in a question why something is done. */
export function reasonField({
  required = false,
  hint,
}: { required?: boolean; hint?: string } = {}): Html {
  return html`<div><label class="label-text" for="reason">Why</label><input class="field" id="reason" name="reason" maxlength="200"${hint === undefined ? '' : html` placeholder="${hint}"`} autocomplete="off"${required ? html` required` : ''}></div>`;
}
