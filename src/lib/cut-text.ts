/** The text, cut to `length` characters, the last of which is then "…". Never cuts a character in two. */
export function cutText(text: string, length: number): string {
  const characters = Array.from(text);
  return characters.length <= length ? text : `${characters.slice(0, length - 1).join('')}…`;
}
