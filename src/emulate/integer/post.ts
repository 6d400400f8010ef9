import { intAttr, type Tensor } from "../../ir/graph.ts";
import { numbersOf, valuesOf } from "../../ir/tensor.ts";
import { codeRange, ROUNDINGS, roundingOf } from "../../ops/shared/npu/requantize.ts";
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
  const tableShift = intAttr(node, "table_shift", 31);
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
    table ? layout.constant(Int16Array.from(numbersOf(table))) : 0,
    intAttr(node, "table_multiplier", 0),
    tableShift,
    intAttr(node, "y_zero", 0),
    low,
    high,
    dtype === "int8" ? 1 : 2,
    bias ? layout.constant(padded(Int32Array.from(numbersOf(bias)))) : 0,
    bias && valuesOf(bias).length > 1 ? 4 : 0,
    everyShift.every((each) => each >= 31) && (!table || tableShift >= 31) ? 1 : 0,
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
