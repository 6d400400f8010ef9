import { intAttr, type Node, type Tensor } from "../../ir/graph.ts";
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
 * Writes the post stage's constants as kernels/assembly/post.ts reads them: multiplier, shift and table from input `first` on.
 * Returns the address; undefined where one of them is computed at run time.
 */
export function layPost(context: StepContext, first: number, options: { bias?: Tensor; wide?: boolean } = {}) {
  const { node, layout } = context;
  const multiplier = context.constant(first);
  const shift = context.constant(first + 1);
  const table = context.has(first + 2) ? context.constant(first + 2) : undefined;
  if (!multiplier || !shift || (context.has(first + 2) && !table)) return undefined;

  const wide = options.wide ?? intAttr(node, "wide", 0) === 1;
  const mode = wide ? WIDE : ROUNDINGS.indexOf(roundingOf(node));
  const shifts = mode === 2 ? [31] : numbersOf(shift);
  const many = multiplier.shape.reduce((a, b) => a * b, 1) > 1;
  const everyShift =
    many && shifts.length === 1 ? new Array<number>(valuesOf(multiplier).length).fill(shifts[0]) : shifts;
  const sideBySide = mode === 0 && everyShift.every((each) => each >= 32);
  const { dtype, low, high } = codeRange(node);
  const bias = options.bias;
  const factors = mode === 2 ? Float32Array.from(numbersOf(multiplier)) : Int32Array.from(numbersOf(multiplier));

  const fields = Int32Array.of(
    mode,
    layout.constant(padded(factors)),
    layout.constant(padded(Int32Array.from(everyShift))),
    many ? 4 : 0,
    table ? layout.constant(everyCode(node, numbersOf(table))) : 0,
    intAttr(node, "y_zero", 0),
    low,
    high,
    dtype === "int8" ? 1 : 2,
    bias ? layout.constant(padded(Int32Array.from(numbersOf(bias)))) : 0,
    bias && valuesOf(bias).length > 1 ? 4 : 0,
    everyShift.every((each, index) => each >= 31 || factors[index] === 0 || factors[index] >= 2 ** 30) ? 1 : 0,
    sideBySide && many ? layout.constant(BigInt64Array.from(padded(everyShift), (each) => 1n << BigInt(each - 1))) : 0,
    sideBySide && many ? layout.constant(Int32Array.from(padded(everyShift), (each) => 2 ** (62 - each))) : 0,
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

/** The activation's code at each int16 position: interpolation, requantization and clamp, done once when the graph is loaded. */
function everyCode(node: Node, table: readonly number[]): Int8Array | Int16Array {
  const { dtype, low, high } = codeRange(node);
  const zero = intAttr(node, "y_zero", 0);
  const multiplier = intAttr(node, "table_multiplier", 0);
  const shift = intAttr(node, "table_shift", 31);
  // The product has at most 46 bits, so up to this shift all of the sum is exact in a double.
  const exact = shift <= 50;
  const codes = dtype === "int8" ? new Int8Array(65536) : new Int16Array(65536);
  for (let position = 0; position < codes.length; position++) {
    const sample = interpolate(table, position - 32768);
    const scaled = exact
      ? Math.floor((sample * multiplier + 2 ** (shift - 1)) / 2 ** shift)
      : requantizeSingle(sample, multiplier, shift);
    codes[position] = clamp(scaled + zero, low, high);
  }
  return codes;
}
