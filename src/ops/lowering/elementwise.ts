import { makeTensor, numbersOf } from "../../ir/tensor.ts";
import type { Code, IntegerLowering, LoweringContext, Riding, RidingOf } from "../integer.ts";
import { typeOfCode } from "./linear.ts";
import { multiplierOf } from "./multiplier.ts";
import { codeRange, postStage, reachOf, sampleCodes, sampleTable, scaleOf, zeroOf } from "./post.ts";

/** The real function that a riding activation computes, before its gains. */
export function functionOf(riding: Riding): (x: number) => number {
  if (riding.kind === "table") return riding.apply;
  const { low, high, gain = 1 } = riding;
  return (x) => Math.min(high, Math.max(low, gain * x));
}

/** A table operator standing alone: 256 entries for int8, 513 interpolated knots for int16. */
export function lowerUnary(ridingOf: RidingOf, bendsAtZero = false): IntegerLowering {
  return (context) => {
    const x = context.input(0);
    if (!x) return "its input has no quantization";
    const riding = ridingOf(context.node, (index) => scalarOf(context, index));
    if (!riding) return "its parameters are computed at run time";
    if (bendsAtZero && x.dtype === "int16") {
      const outer = context.riding ? functionOf(context.riding) : (value: number) => value;
      const inner = functionOf(riding);
      emitBend(context, x, (value) => outer(inner(value)), context.output(0));
    } else emitFunction(context, x, functionOf(riding), riding);
    return undefined;
  };
}

/** y = f(x) by table, into the lowered node's own output; an activation that rides on the node is composed into it. */
export function emitFunction(context: LoweringContext, x: Code, inner: (x: number) => number, simple?: Riding): void {
  const output = context.output(0);
  const outer = context.riding ? functionOf(context.riding) : (value: number) => value;
  const apply = (value: number) => outer(inner(value));
  if (x.dtype === "int8") {
    const codes = sampleCodes(apply, x, output);
    const table = context.add(makeTensor(output.dtype, [256], codes), `${output.name}/table`);
    context.emit({ op: "Table", inputs: [x.name, table], type: typeOfCode(output), name: output.name });
    return;
  }
  if (simple?.kind === "clamp" && !simple.gain && !context.riding) {
    emitRescale(context, x, output, simple.low, simple.high);
    return;
  }
  const { knots, unit } = sampleTable(apply, scaleOf(x), 2 * scaleOf(output) * reachOf(output));
  const table = context.add(makeTensor("int16", [513], knots), `${output.name}/table`);
  const middle: Code = {
    name: `${output.name}/wide`,
    dtype: "int16",
    shape: output.shape,
    quant: { scale: Float32Array.of(unit), zeroPoint: Int32Array.of(0) },
  };
  const made = context.emit({ op: "Table", inputs: [x.name, table], type: typeOfCode(middle) });
  emitRescale(context, { ...middle, name: made }, output);
}

/** How much finer the second table is: 64 codes of the first become one knot's width of the second. */
const ZOOM = 64;

/**
 * A function that bends near zero (√x, log x, 1/x) on 16-bit codes. 513 knots over the whole range would draw a chord
 * through the bend, so a second table covers the range/64 around zero. The result is coarse(x) + fine(64·x) where
 * 64·x saturates: coarse is flat inside the small range and fine is flat outside it, and they meet at its ends.
 */
function emitBend(context: LoweringContext, x: Code, whole: (x: number) => number, output: Code): string {
  const edge = (scaleOf(x) * 32768) / ZOOM;
  const clip = (value: number) => Math.min(edge, Math.max(-edge, value));
  const zoomed = alignTo(context, x, { ...x, quant: quantInt16(scaleOf(x) / ZOOM) });
  const fine = emitTable16(context, zoomed, (value) => whole(clip(value)));
  const base = [whole(-edge), whole(edge)].map((value) => (Number.isFinite(value) ? value : 0));
  const coarse = emitTable16(context, x, (value) =>
    Math.abs(value) <= edge ? 0 : whole(value) - base[value < 0 ? 0 : 1],
  );
  return emitSum({ ...context, riding: undefined }, coarse, fine, 1, output);
}

function quantInt16(scale: number) {
  return { scale: Float32Array.of(scale), zeroPoint: Int32Array.of(0) };
}

/** An interpolated table into codes of its own scale. */
function emitTable16(context: LoweringContext, x: Code, apply: (x: number) => number): Code {
  const { knots, unit } = sampleTable(apply, scaleOf(x));
  const table = context.add(makeTensor("int16", [513], knots), `${x.name}/table`);
  const made: Code = { name: "", dtype: "int16", shape: x.shape, quant: quantInt16(unit) };
  return { ...made, name: context.emit({ op: "Table", inputs: [x.name, table], type: typeOfCode(made) }) };
}

/** Brings x to another quantization: y = clamp(requantize(x − zero)). */
export function emitRescale(context: LoweringContext, x: Code, output: Code, low = -Infinity, high = Infinity): string {
  const [lowest, highest] = codeRange(output);
  const scale = scaleOf(output);
  const zero = zeroOf(output);
  // The exact quotient of the stored single-precision scales, so that equal scales give exactly one.
  const pair = multiplierOf(scaleOf(x) / scale, 31);
  const clampTo = (real: number) => Math.min(highest, Math.max(lowest, Math.round(real / scale) + zero));
  return context.emit({
    op: "Rescale",
    inputs: [
      x.name,
      context.add(makeTensor("int32", [1], Int32Array.of(pair.multiplier)), `${output.name}/multiplier`),
      context.add(makeTensor("int32", [1], Int32Array.of(pair.shift)), `${output.name}/shift`),
    ],
    attrs: {
      x_zero: { i: zeroOf(x) },
      y_zero: { i: zero },
      y_min: { i: low === -Infinity ? lowest : clampTo(low) },
      y_max: { i: high === Infinity ? highest : clampTo(high) },
      y_dtype: { s: output.dtype },
    },
    type: typeOfCode(output),
    name: output.name,
  });
}

/** Whether codes of `x` are codes of `like` as they are: those of 4 bits are also of 8. */
export function isAlike(x: Code, like: Code): boolean {
  const fits = x.dtype === like.dtype && (like.bits === undefined || x.bits === like.bits);
  return fits && scaleOf(x) === scaleOf(like) && zeroOf(x) === zeroOf(like);
}

/** x as codes of the quantization of `like`: itself where it already is, else through a Rescale. */
export function alignTo(context: LoweringContext, x: Code, like: Code): Code {
  if (isAlike(x, like)) return x;
  const target: Code = { ...like, shape: x.shape, name: "" };
  const [low, high] = codeRange(like);
  const pair = multiplierOf(scaleOf(x) / scaleOf(like), 31);
  const name = context.emit({
    op: "Rescale",
    inputs: [
      x.name,
      context.add(makeTensor("int32", [1], Int32Array.of(pair.multiplier)), `${x.name}/multiplier`),
      context.add(makeTensor("int32", [1], Int32Array.of(pair.shift)), `${x.name}/shift`),
    ],
    attrs: {
      x_zero: { i: zeroOf(x) },
      y_zero: { i: zeroOf(like) },
      y_min: { i: low },
      y_max: { i: high },
      y_dtype: { s: like.dtype },
    },
    type: typeOfCode(target),
  });
  return { ...target, name };
}

/**
 * Add and Sub: both inputs at the larger of their scales with `left` fractional bits, one rounding at the output
 * (ai4.md §7). left is the most, up to 20, that keeps the sum below 2^30: 20 for 8-bit operands, 13 for 16-bit ones of one
 * scale, and more where the 16-bit one is the finer, whose factor would else be a few units.
 */
export function lowerAdd(sign: 1 | -1): IntegerLowering {
  return (context) => {
    const a = context.input(0);
    const b = context.input(1);
    if (!a || !b) return "an input has no quantization";
    emitSum(context, a, b, sign, context.output(0));
    return undefined;
  };
}

function emitSum(context: LoweringContext, a: Code, b: Code, sign: 1 | -1, output: Code): string {
  const largest = Math.max(scaleOf(a), scaleOf(b));
  const span = (code: Code) => (code.dtype === "int16" ? 32768 : 255);
  const together = (span(a) * scaleOf(a) + span(b) * scaleOf(b)) / largest;
  let left = 20;
  while (together * 2 ** left >= 2 ** 30) left--;
  const factor = (code: Code) => Math.round((scaleOf(code) / largest) * 2 ** left);
  const reach = (code: Code) => span(code) * factor(code);
  const post = postStage(context, [largest / 2 ** left], reach(a) + reach(b), false, output);
  return context.emit({
    op: "Add",
    inputs: [a.name, b.name, ...post.inputs],
    attrs: {
      ...post.attrs,
      a_zero: { i: zeroOf(a) },
      b_zero: { i: zeroOf(b) },
      a_multiplier: { i: factor(a) },
      b_multiplier: { i: sign * factor(b) },
    },
    type: typeOfCode(output),
    name: output.name || undefined,
  });
}

export const lowerMul: IntegerLowering = (context) => {
  const a = context.input(0);
  const b = context.input(1);
  if (!a || !b) return "an input has no quantization";
  emitProduct(context, a, b);
  return undefined;
};

export function emitProduct(context: LoweringContext, a: Code, b: Code): void {
  const reach = (code: Code) => (code.dtype === "int16" ? 32768 : 255);
  const post = postStage(context, [scaleOf(a) * scaleOf(b)], reach(a) * reach(b), false);
  context.emit({
    op: "Mul",
    inputs: [a.name, b.name, ...post.inputs],
    attrs: { ...post.attrs, a_zero: { i: zeroOf(a) }, b_zero: { i: zeroOf(b) } },
    type: typeOfCode(context.output(0)),
    name: context.output(0).name,
  });
}

/** a / b: a constant divisor is a factor; a computed one goes through a table of 1/b in 16 bits. */
export const lowerDiv: IntegerLowering = (context) => {
  const a = context.input(0);
  const b = context.input(1);
  if (!a || !b) return "an input has no quantization";
  const reciprocal = reciprocalOf(context, b);
  if (typeof reciprocal === "string") return reciprocal;
  emitProduct(context, a, reciprocal);
  return undefined;
};

function reciprocalOf(context: LoweringContext, b: Code): Code | string {
  // 1/x has no bound at zero: the table saturates at the smallest divisor that calibration saw, or that codes can tell.
  const scale = scaleOf(b);
  const seen = context.range(1);
  const least = seen && seen.low > 0 ? seen.low : seen && seen.high < 0 ? -seen.high : 0;
  const nearest = Math.max(least * 0.75, scale * (b.dtype === "int16" ? 4 : 1));
  const apply = (x: number) => 1 / (Math.abs(x) < nearest ? (x < 0 ? -nearest : nearest) : x);
  const quant = quantInt16(1 / nearest / 32767);
  const output: Code = { name: "", dtype: "int16", shape: b.shape, quant };
  if (b.dtype === "int16") return { ...output, name: emitBend(context, b, apply, output) };
  const table = context.add(makeTensor("int16", [256], sampleCodes(apply, b, output)), `${b.name}/reciprocal`);
  return { ...output, name: context.emit({ op: "Table", inputs: [b.name, table], type: typeOfCode(output) }) };
}

/** Max and Min: two codes at the output's quantization, pairwise for more. */
export function lowerExtreme(op: "Max" | "Min"): IntegerLowering {
  return (context) => {
    const output = context.output(0);
    let result: Code | undefined;
    const { inputs } = context.node;
    for (let index = 0; index < inputs.length; index++) {
      const input = context.input(index);
      if (!input) return "an input has no quantization";
      const aligned = alignTo(context, input, output);
      if (!result) {
        result = aligned;
        continue;
      }
      const last = index === inputs.length - 1;
      const shape = broadcast(result.shape, aligned.shape);
      const type = typeOfCode({ ...output, shape });
      const name = context.emit({
        op,
        inputs: [result.name, aligned.name],
        type,
        name: last ? output.name : undefined,
      });
      result = { ...output, name, shape };
    }
    return inputs.length === 1 && result ? copyTo(context, result) : undefined;
  };
}

/** Names a value as the lowered node's output, by a Reshape to its own shape (no bytes move). */
export function copyTo(context: LoweringContext, x: Code, index = 0): undefined {
  const output = context.output(index);
  context.emit({
    op: "Reshape",
    inputs: [x.name],
    attrs: { shape: { ints: output.shape } },
    type: typeOfCode(output),
    name: output.name,
  });
  return undefined;
}

export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    return left === 1 ? right : left;
  });
}

export function scalarOf(context: LoweringContext, index: number): number | undefined {
  const tensor = context.constant(index);
  if (!tensor) return undefined;
  const numbers = numbersOf(tensor);
  if (numbers.length !== 1) return undefined;
  return tensor.quant ? (numbers[0] - (tensor.quant.zeroPoint[0] ?? 0)) * tensor.quant.scale[0] : numbers[0];
}

/**
 * The riding of an operator with one scalar constant: `right` where the constant is input 1, `left` where it is input 0
 * (the same where the order does not matter).
 */
export function ridingScalar(
  right: (x: number, constant: number) => number,
  left: (constant: number, x: number) => number = (constant, x) => right(x, constant),
): RidingOf {
  return (_node, constant) => {
    const [first, second] = [constant(0), constant(1)];
    const range = Number.POSITIVE_INFINITY;
    if (second !== undefined) return { kind: "table", apply: (x) => right(x, second), range };
    if (first !== undefined) return { kind: "table", apply: (x) => left(first, x), range };
    return undefined;
  };
}

/** Multiplication (or division) by a scalar constant: a positive one is a part of the requantization, and exact. */
export function ridingGain(multiplies: boolean): RidingOf {
  const table = multiplies
    ? ridingScalar((x, constant) => x * constant)
    : ridingScalar(
        (x, constant) => x / constant,
        (constant, x) => constant / x,
      );
  return (node, constant) => {
    const scalar = constant(1) ?? (multiplies ? constant(0) : undefined);
    const gain = scalar === undefined || multiplies ? scalar : 1 / scalar;
    if (gain === undefined || !(gain > 0) || !Number.isFinite(gain)) return table(node, constant);
    return { kind: "clamp", low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, gain };
  };
}
