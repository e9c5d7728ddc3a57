import type { SpecProblem } from '../../../spec/problem.ts';
import { html, type Content, type Html } from '../html.ts';
import { icon, type Frame } from '../layout.ts';

/** What is wrong with specs, each with its line. `place`: what is said of where it is. */
export function problemPanel(
  frame: Frame,
  title: string,
  problems: readonly SpecProblem[],
  place: (problem: SpecProblem) => string,
): Html {
  return html`<section class="panel problems" aria-label="Problems"><div class="panel-head"><span class="tone is-failed">${icon(frame, 'alert-fill')}</span><h2>${title}</h2></div>
<ul class="rows">${problems.map(
    (problem) =>
      html`<li><p><code>${place(problem)}</code></p><p class="break">${problem.message}</p>${excerpt(problem)}${problem.hint === undefined ? '' : html`<p class="small muted break">${problem.hint}</p>`}</li>`,
  )}</ul></section>`;
}

/** The line of a problem with a caret under its column. */
export function excerpt({ excerpt: text }: SpecProblem): Content {
  return text === undefined ? '' : html`<pre class="excerpt" tabindex="0">${text}</pre>`;
}
