import { html, type Content, type Html } from '../html.ts';
import { icon, type Frame } from '../layout.ts';

/** Where nothing is yet: what would be here, and what to do for it. */
export function empty(
  frame: Frame,
  { sign, title, text, command }: { sign: string; title: string; text: Content; command?: string },
): Html {
  return html`<div class="empty">${icon(frame, sign)}
<h2>${title}</h2>
<p>${text}</p>
${command === undefined ? '' : html`<code class="command">${command}</code>`}
</div>`;
}

/** Where a person who does not see everything sees nothing: it may be there, and it is not for them to set up. */
export function nothingToSee(frame: Frame): Html {
  return empty(frame, {
    sign: 'search',
    title: 'Nothing that you may see yet',
    text: 'Here is what belongs to repositories that you may read on GitHub. Ask an administrator of a repository for access to it there.',
  });
}
