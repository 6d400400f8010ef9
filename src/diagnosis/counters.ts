/** What the integer program does with the codes that it has: how many stand at an end of their range, how many are never used. */
import { loadInteger } from "../emulate/integer.ts";
import { bitsOf, type DType, elementCount, type Graph, isStatic, type Tensor } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { narrowValues } from "../ops/shared/npu/narrow.ts";

export interface Counters {
  /** Share of codes at an end of the range that does not stand for zero: larger numbers may have been clipped to it. */
  readonly saturated: number;
  /** Share of the range's codes (of 16 bits: of its 256ths; of 4 there are 16) that no sample used. */
  readonly dead: number;
}

/** A sample's inputs, and whether states begin anew before it. */
export interface Step {
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly first: boolean;
}

/** Values that are looked at, in elements of one run: what bounds the memory. */
const MOST_ELEMENTS = 64 * 2 ** 20;
const CODES: ReadonlySet<DType> = new Set<DType>(["int8", "uint8", "int16"]);

interface Tally {
  readonly low: number;
  readonly high: number;
  readonly shift: number;
  readonly zero: number;
  readonly used: Uint8Array;
  count: number;
  ends: number;
}

/** Of every quantized value that the program stores. */
export function countersOf(record: Graph, steps: readonly Step[]): Map<string, Counters> {
  const tallies = talliesOf(record);
  const program = loadInteger({ ...record, outputs: [...new Set([...record.outputs, ...tallies.keys()])] });
  for (const { feeds, first } of steps) {
    if (first) program.reset();
    const values = program.run(feeds);
    for (const [name, tally] of tallies) count(tally, valuesOf(values.get(name) as Tensor) as Int16Array);
  }
  return new Map(
    [...tallies].map(([name, { used, count: all, ends }]) => [
      name,
      { saturated: all === 0 ? 0 : ends / all, dead: used.reduce((sum, seen) => sum + 1 - seen, 0) / used.length },
    ]),
  );
}

function talliesOf(record: Graph): Map<string, Tally> {
  const found = new Map<string, Tally>();
  const narrow = narrowValues(record);
  let elements = 0;
  for (const name of record.nodes.flatMap(({ outputs }) => outputs)) {
    const type = record.types.get(name);
    if (!type?.quant || !CODES.has(type.dtype) || !isStatic(type.shape)) continue;
    elements += elementCount(type.shape);
    if (elements > MOST_ELEMENTS) break;
    const bits = narrow.has(name) ? 4 : bitsOf(type.dtype);
    const low = type.dtype === "uint8" ? 0 : -(2 ** (bits - 1));
    const zero = type.quant.zeroPoint[0] ?? 0;
    const shift = Math.max(0, bits - 8);
    const used = new Uint8Array(2 ** (bits - shift));
    found.set(name, { ...{ low, high: low + 2 ** bits - 1, shift, zero, used }, count: 0, ends: 0 });
  }
  return found;
}

function count(tally: Tally, codes: ArrayLike<number>): void {
  const { low, high, shift, zero, used } = tally;
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    used[(code - low) >> shift] = 1;
    if ((code === low || code === high) && code !== zero) tally.ends++;
  }
  tally.count += codes.length;
}
