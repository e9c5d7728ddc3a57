/** `starts a, b` and `rolls back c`. */
export function inWords(
  names: readonly string[],
  isBack: (name: string) => boolean,
  [start, back] = ['starts', 'rolls back'] as [string, string],
): string[] {
  const of = (verb: string, some: readonly string[]) =>
    some.length === 0 ? [] : [`${verb} ${some.join(', ')}`];
  return [
    ...of(
      start,
      names.filter((name) => !isBack(name)),
    ),
    ...of(back, names.filter(isBack)),
  ];
}
