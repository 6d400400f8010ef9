import { elementCount, intAttr, type Tensor } from "../../ir/graph.ts";
import { numbersOf, valuesOf } from "../../ir/tensor.ts";
import {
  clamp,
  codeRange,
  interpolate,
  ROUNDINGS,
  requantizeSingle,
  roundingOf,
} from "../../ops/shared/npu/requantize.ts";
import type { StepContext } from "./step.ts";

const WIDE = 3;

/**
 * Writes the post stage's constants as kernels/assembly/post.ts reads them, from input `first` on: multiplier, shift, table,
 * table_multiplier, table_shift; and those of the node's twin, whose bias they hold. Returns the address; undefined where one of
 * them is computed at run time.
 */
export function layPost(
  context: StepContext,
  first: number,
  options: { bias?: Tensor; wide?: boolean } = {},
): number | undefined {
  const { node, twin } = context;
  const { bias: _, ...shared } = options;
  const bias = twin?.has(2) ? twin.constant(2) : undefined;
  const next = twin && layPost(twin, first, { ...shared, ...(bias && { bias }) });
  const chain = { next: next ?? 0, distance: next && twin ? twin.output.address - context.output.address : 0 };
  const given = [0, 1, 2, 3, 4].map((at) => (context.has(first + at) ? context.constant(first + at) : undefined));
  const [multiplier, shift, table, tableMultiplier, tableShift] = given;
  if (!multiplier || !shift || given.some((tensor, at) => context.has(first + at) && !tensor)) return undefined;

  const wide = options.wide ?? intAttr(node, "wide", 0) === 1;
  const mode = wide ? WIDE : ROUNDINGS.indexOf(roundingOf(node));
  const { dtype, low, high } = codeRange(node);
  const zero = intAttr(node, "y_zero", 0);
  const stored = { zero, low, high, bytes: dtype === "int8" ? 1 : 2 };
  const scale = { mode, multiplier, shift, bias: options.bias };
  if (!table || !tableMultiplier || !tableShift) return layStage(context, { ...scale, ...stored, ...chain });

  const samples = samplesOf(table);
  if (elementCount(tableMultiplier.shape) === 1) {
    const codes = everyCode(samples, numbersOf(tableMultiplier)[0], numbersOf(tableShift)[0], stored);
    return layStage(context, { ...scale, ...stored, ...chain, codes });
  }
  const int16 = { zero: 0, low: -32768, high: 32767, bytes: 4 };
  const sampling = layStage(context, { ...scale, ...int16, codes: samples });
  return layStage(context, {
    mode: SINGLE,
    multiplier: tableMultiplier,
    shift: tableShift,
    ...stored,
    ...chain,
    sampling,
  });
}

const SINGLE = 0;

/** What a stage stores: codes of `bytes` bytes in [low, high], `zero` added. */
interface Stored {
  readonly zero: number;
  readonly low: number;
  readonly high: number;
  readonly bytes: number;
}

interface Stage extends Stored {
  readonly mode: number;
  readonly multiplier: Tensor;
  readonly shift: Tensor;
  readonly bias?: Tensor | undefined;
  readonly codes?: Int8Array | Int16Array;
  /** Address of the stage before. */
  readonly sampling?: number;
  /** Address of another node's stage for the same accumulators, or 0, and how much further in memory its results lie. */
  readonly next?: number;
  readonly distance?: number;
}

function layStage({ layout }: StepContext, stage: Stage): number {
  const { mode, multiplier, shift, bias, codes } = stage;
  const shifts = mode === 2 ? [31] : numbersOf(shift);
  const many = elementCount(multiplier.shape) > 1;
  const everyShift =
    many && shifts.length === 1 ? new Array<number>(valuesOf(multiplier).length).fill(shifts[0]) : shifts;
  const sideBySide = mode === SINGLE && everyShift.every((each) => each >= 32);
  const factors = mode === 2 ? Float32Array.from(numbersOf(multiplier)) : Int32Array.from(numbersOf(multiplier));
  const fields = Int32Array.of(
    mode,
    layout.constant(padded(factors)),
    layout.constant(padded(Int32Array.from(everyShift))),
    many ? 4 : 0,
    codes ? layout.constant(codes) : 0,
    stage.zero,
    stage.low,
    stage.high,
    stage.bytes,
    bias ? layout.constant(padded(Int32Array.from(numbersOf(bias)))) : 0,
    bias && valuesOf(bias).length > 1 ? 4 : 0,
    everyShift.every((each, index) => each >= 31 || factors[index] === 0 || factors[index] >= 2 ** 30) ? 1 : 0,
    sideBySide && many ? layout.constant(BigInt64Array.from(padded(everyShift), (each) => 1n << BigInt(each - 1))) : 0,
    sideBySide && many ? layout.constant(Int32Array.from(padded(everyShift), (each) => 2 ** (62 - each))) : 0,
    stage.sampling ?? 0,
    stage.next ?? 0,
    stage.distance ?? 0,
  );
  return layout.constant(fields);
}

/** A whole vector more of the last element: kernels read channels eight at a time. */
function padded<T extends Int32Array | Float32Array | number[]>(values: T): T {
  const extra = new Array<number>(8).fill(Number(values[values.length - 1]));
  const all = [...values, ...extra];
  if (Array.isArray(values)) return all as T;
  return (values instanceof Float32Array ? Float32Array.from(all) : Int32Array.from(all)) as T;
}

let sampled: { readonly table: Tensor; readonly samples: Int16Array } | undefined;

/** The same for a table as for the node before, which a node with other biases has: they come one after the other. */
function samplesOf(table: Tensor): Int16Array {
  if (sampled?.table !== table) sampled = { table, samples: everySample(numbersOf(table)) };
  return sampled.samples;
}

/** The activation's value at each int16 position. */
function everySample(table: readonly number[]): Int16Array {
  return Int16Array.from({ length: 65536 }, (_, position) => interpolate(table, position - 32768));
}

/** The code at each int16 position: requantization and clamp, done once when the graph is loaded. */
function everyCode(samples: Int16Array, multiplier: number, shift: number, { zero, low, high, bytes }: Stored) {
  // The product has at most 46 bits, so up to this shift all of the sum is exact in a double.
  const exact = shift <= 50;
  const codes = bytes === 1 ? new Int8Array(samples.length) : new Int16Array(samples.length);
  for (let position = 0; position < codes.length; position++) {
    const sample = samples[position];
    const scaled = exact
      ? Math.floor((sample * multiplier + 2 ** (shift - 1)) / 2 ** shift)
      : requantizeSingle(sample, multiplier, shift);
    codes[position] = clamp(scaled + zero, low, high);
  }
  return codes;
}
