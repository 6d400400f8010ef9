/** All orders of a plan's tiles in which one comes behind those whose bytes it reads, tiles of one job in the order of their loops. */
import { type Flow, UNITS } from "./flow.ts";

/**
 * Orders that differ only in who comes first of two neighbours that have nothing to do with each other (other engines, no bytes in
 * common) are one. `limit()`: orders that cannot end sooner are left out. `visit` gets tiles by number, and says whether to go on.
 */
export function eachOrder(
  { count, unit, cycles, before, tail, gap, job, head }: Flow,
  limit: () => number,
  visit: (order: readonly number[]) => boolean,
): boolean {
  const order: number[] = [];
  const end = new Float64Array(count);
  const placed = new Uint8Array(count);
  const free = new Float64Array(UNITS);
  const left = new Float64Array(UNITS);
  for (let id = 0; id < count; id++) left[unit[id]] += cycles[id];
  const after: number[][] = Array.from({ length: count }, () => []);
  before.forEach((list, id) => {
    for (const other of list) after[other].push(id);
  });
  const missing = Int32Array.from(before, (list) => list.length);
  const place = (): boolean => {
    if (order.length === count) return visit(order);
    const last = order[order.length - 1];
    for (let id = 0; id < count; id++) {
      if (placed[id] || missing[id] > 0) continue;
      // The same order was met with the two of them the other way round.
      if (last !== undefined && id < last && unit[id] !== unit[last] && !before[id].includes(last)) continue;
      const own = unit[id];
      let start = Math.max(free[own], head[id]);
      for (const other of before[id]) start = Math.max(start, end[other] + (job[other] === job[id] ? 0 : gap[other]));
      const ends = start + cycles[id];
      if (ends + Math.max(tail[id], left[own] - cycles[id]) >= limit()) continue;
      const wasFree = free[own];
      [placed[id], end[id], free[own]] = [1, ends, ends];
      left[own] -= cycles[id];
      for (const other of after[id]) missing[other]--;
      order.push(id);
      const goesOn = place();
      order.pop();
      for (const other of after[id]) missing[other]++;
      left[own] += cycles[id];
      [placed[id], free[own]] = [0, wasFree];
      if (!goesOn) return false;
    }
    return true;
  };
  return place();
}
