/**
 * How much there is in a value: an element or entry counts one, and so do a hundred characters of text. Stops counting above
 * `limit`: a list may hold the same list many times over.
 */
export function sizeOf(value: unknown, limit: number): number {
  if (typeof value === 'string') return value.length / 100;
  if (typeof value !== 'object' || value === null) return 0;
  let size = 0;
  for (const item of Object.values(value)) {
    size += 1 + sizeOf(item, limit - size);
    if (size > limit) break;
  }
  return size;
}
