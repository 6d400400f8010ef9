/** Memory planning: the published instances at their capacity, and packings made by cutting a full rectangle. */
import { join } from "node:path";
import { readInstance } from "../../bench/backend/instance.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { type Allocation, allocate, type Lifetime } from "../../src/schedule/allocate.ts";
import { attempt, type Outcome } from "./check.ts";
import { root } from "./command.ts";

const CAPACITY = 1_048_576;
const STEPS = 1_000_000_000;
const CUT = { seeds: 20, moments: 100, buffers: 150, unit: 1024, dropped: 0.1 };

export async function* allocation(): AsyncIterable<Outcome> {
  for (const name of ["A", "C", "E", "G", "J"]) {
    yield await attempt(name, async () => {
      return solved(readInstance(join(root, `fixtures/minimalloc/${name}.csv`)).lifetimes);
    });
  }
  for (let seed = 1; seed <= CUT.seeds; seed++) yield await attempt(`cut ${seed}`, async () => solved(cut(seed)));
}

function solved(lifetimes: readonly Lifetime[]): Omit<Outcome, "name"> {
  const before = process.cpuUsage().user;
  const plan = allocate(lifetimes, 1, { capacity: CAPACITY, steps: STEPS });
  const seconds = (process.cpuUsage().user - before) / 1e6;
  const overlaps = countOverlaps(lifetimes, plan);
  const gap = (plan.peakBytes / plan.lowerBoundBytes).toFixed(3);
  const says = `${lifetimes.length} buffers, peak ${plan.peakBytes}, ${gap} × the lower bound, ${overlaps} overlaps, ${seconds.toFixed(1)} s`;
  return { good: plan.peakBytes <= CAPACITY && overlaps === 0, says };
}

function countOverlaps(lifetimes: readonly Lifetime[], { addresses }: Allocation): number {
  let overlaps = 0;
  lifetimes.forEach((a, i) => {
    for (let j = 0; j < i; j++) {
      const b = lifetimes[j];
      if (a.last < b.first || b.last < a.first) continue;
      if (addresses[i] < addresses[j] + b.bytes && addresses[j] < addresses[i] + a.bytes) overlaps++;
    }
  });
  return overlaps;
}

/** A rectangle of all moments × the capacity, cut in two again and again, in time or in bytes; a tenth of the pieces is left out. */
function cut(seed: number): Lifetime[] {
  const random = seededRandom(seed);
  const pieces: Lifetime[] = [{ bytes: CAPACITY, first: 0, last: CUT.moments - 1 }];
  const area = ({ bytes, first, last }: Lifetime) => bytes * (last - first + 1);
  while (pieces.length < CUT.buffers) {
    pieces.sort((a, b) => area(b) - area(a));
    const [piece] = pieces.splice(Math.floor(random() * Math.min(8, pieces.length)), 1);
    const { bytes, first, last } = piece;
    if (random() < 0.5 && bytes >= 8 * CUT.unit) {
      const units = bytes / CUT.unit;
      const part = CUT.unit * (1 + Math.floor((0.2 + 0.6 * random()) * (units - 1)));
      pieces.push({ ...piece, bytes: part }, { ...piece, bytes: bytes - part });
    } else if (last > first) {
      const until = first + Math.floor(random() * (last - first));
      pieces.push({ ...piece, last: until }, { ...piece, first: until + 1 });
    } else pieces.push(piece);
  }
  return pieces.filter(() => random() >= CUT.dropped);
}
