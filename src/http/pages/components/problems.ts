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

/** The line of a problem with a caret under its column; a narrow screen shows what is near the caret. */
export function excerpt({ excerpt: text }: SpecProblem): Content {
  if (text === undefined) return '';
  const [line = '', below = ''] = text.split('\n');
  const cut = farFrom(line, below.length - 1);
  const halved = (whole: string) =>
    html`<span class="excerpt-far">${whole.slice(0, cut)}</span><span class="excerpt-near">${whole.slice(cut)}</span>`;
  return html`<pre class="excerpt" tabindex="0">${cut === 0 ? text : html`${halved(line)}\n${halved(below)}`}</pre>`;
}

/** What stands before a caret on a narrow screen, and how much more makes it worth to leave something out. */
const NEAR = 20;
const WORTH = 8;

/** Characters at the beginning of a line that a narrow screen leaves out, so that the caret is seen without scrolling. */
function farFrom(line: string, caret: number): number {
  const cut = caret - NEAR;
  if (cut < WORTH) return 0;
  const isHalf = /[\uDC00-\uDFFF]/.test(line[cut] ?? '');
  return isHalf ? cut + 1 : cut;
}
