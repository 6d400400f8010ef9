/** Letters put in, left out, replaced, or swapped with their neighbour; at most `limit` (then `limit + 1`). */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? before[j - 2] + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + change, swap));
    }
    [before, row] = [row, next];
  }
  return Math.min(row[b.length], limit + 1);
}

/** The known name that was probably meant, if one is near enough. */
export function closest(name: string, known: Iterable<string>): string | undefined {
  const limit = Math.max(1, Math.floor(name.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of known) {
    const found = distance(name.slice(0, 200), candidate, limit);
    if (found < bestDistance) [best, bestDistance] = [candidate, found];
  }
  return best;
}

/** `did you mean "x"?`, or a list of what there is. */
export function didYouMean(name: string, known: readonly string[]): string {
  const best = closest(name, known);
  if (best !== undefined) return `did you mean "${best}"?`;
  return known.length === 0 ? "there is none" : `there are: ${known.join(", ")}`;
}
