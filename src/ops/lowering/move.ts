import { type Attr, intAttr, intsAttr, stringAttr, type Tensor } from "../../ir/graph.ts";
import { makeTensor, numbersOf } from "../../ir/tensor.ts";
import type { Code, IntegerLowering, LoweringContext } from "../integer.ts";
import { alignTo, copyTo, emitRescale, isAlike } from "./elementwise.ts";
import { reshapeCode, transposeCode, typeOfCode } from "./linear.ts";
import { codeRange, scaleOf, zeroOf } from "./post.ts";

/** Lowerings of the operators that move numbers without changing them. */

/** Emits a move whose result is the lowered node's output; a Rescale follows where their quantizations differ. */
export function emitMove(
  context: LoweringContext,
  op: string,
  inputs: readonly string[],
  attrs: Readonly<Record<string, Attr | undefined>>,
  like: Code,
  index = 0,
): undefined {
  const output = context.output(index);
  if (sameQuant(like, output)) {
    context.emit({ op, inputs, attrs, type: typeOfCode(output), name: output.name });
    return undefined;
  }
  const moved: Code = { ...like, shape: output.shape, name: "" };
  const name = context.emit({ op, inputs, attrs, type: typeOfCode(moved) });
  return copyTo(context, alignTo(context, { ...moved, name }, output), index);
}

export function sameQuant(a: Code, b: Code): boolean {
  if (!a.quant || !b.quant) return a.dtype === b.dtype && a.quant === b.quant;
  return isAlike(a, b);
}

/** Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout: the output's shape says all. */
export const lowerReshape: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no integer form";
  return emitMove(context, "Reshape", [x.name], { shape: { ints: context.output(0).shape } }, x);
};

export const lowerTranspose: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no integer form";
  const perm = intsAttr(context.node, "perm") ?? x.shape.map((_, axis) => x.shape.length - 1 - axis);
  return emitMove(context, "Transpose", [x.name], { perm: { ints: perm } }, x);
};

export const lowerSlice: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no integer form";
  const [starts, ends] = [ints(context, 1), ints(context, 2)];
  if (!starts || !ends) return "its bounds are computed at run time";
  const axes = (ints(context, 3) ?? starts.map((_, axis) => axis)).map((axis) => positive(axis, x.shape.length));
  const steps = ints(context, 4) ?? starts.map(() => 1);
  const bounds = axes.map((axis, index) => normaliseBounds(x.shape[axis], starts[index], ends[index], steps[index]));
  const attrs = {
    starts: { ints: bounds.map((bound) => bound[0]) },
    ends: { ints: bounds.map((bound) => bound[1]) },
    axes: { ints: axes },
    steps: { ints: steps },
  };
  return emitMove(context, "Slice", [x.name], attrs, x);
};

function normaliseBounds(size: number, start: number, end: number, step: number): [number, number] {
  const from = start < 0 ? start + size : start;
  const to = end < 0 ? end + size : end;
  if (step > 0) return [clamp(from, 0, size), clamp(to, 0, size)];
  return [clamp(from, 0, size - 1), clamp(end < -size ? -1 : to, -1, size - 1)];
}

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

export const lowerSplit: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no integer form";
  const axis = positive(intAttr(context.node, "axis", 0), x.shape.length);
  let start = 0;
  context.node.outputs.forEach((name, index) => {
    if (name === "") return;
    const size = context.output(index).shape[axis];
    const range = {
      starts: { ints: [start] },
      ends: { ints: [start + size] },
      axes: { ints: [axis] },
      steps: { ints: [1] },
    };
    emitMove(context, "Slice", [x.name], range, x, index);
    start += size;
  });
};

export const lowerConcat: IntegerLowering = (context) => {
  const output = context.output(0);
  const parts: string[] = [];
  for (let index = 0; index < context.node.inputs.length; index++) {
    const input = context.input(index);
    if (!input) return "an input has no integer form";
    parts.push(output.quant ? alignTo(context, input, output).name : input.name);
  }
  const axis = positive(intAttr(context.node, "axis", 0), output.shape.length);
  context.emit({
    op: "Concat",
    inputs: parts,
    attrs: { axis: { i: axis } },
    type: typeOfCode(output),
    name: output.name,
  });
};

export const lowerPad: IntegerLowering = (context) => {
  const x = context.input(0);
  const pads = ints(context, 1);
  if (!x) return "its input has no integer form";
  if (!pads) return "its pads are computed at run time";
  if (pads.some((pad) => pad < 0)) return "a negative pad was not made into a Slice";
  const value = context.node.inputs[2] ? context.constant(2) : undefined;
  if (context.node.inputs[2] && !value) return "its fill value is computed at run time";
  const real = value ? numbersOf(value)[0] : 0;
  const code = x.quant ? codeOf(real, x) : real;
  const axes = ints(context, 3)?.map((axis) => positive(axis, x.shape.length)) ?? x.shape.map((_, axis) => axis);
  const full = new Array<number>(2 * x.shape.length).fill(0);
  axes.forEach((axis, index) => {
    full[axis] = pads[index];
    full[axis + x.shape.length] = pads[index + axes.length];
  });
  const mode = context.node.attrs.get("mode");
  const kind = mode && "s" in mode ? mode.s : "constant";
  if (kind === "wrap") return "padding by wrapping around has no integer form";
  return emitMove(context, "Pad", [x.name], { pads: { ints: full }, value: { i: code }, mode: { s: kind } }, x);
};

/** The nearest code; ±∞ is the last one. */
function codeOf(real: number, x: Code): number {
  const [low, high] = codeRange(x);
  return clamp(Math.round(real / scaleOf(x)) + zeroOf(x), low, high);
}

export const lowerExpand: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no integer form";
  return emitMove(context, "Expand", [x.name], { shape: { ints: context.output(0).shape } }, x);
};

/** Repeats an axis by giving it a companion of size 1, expanding that, and merging the two. */
export const lowerTile: IntegerLowering = (context) => {
  const x = context.input(0);
  const repeats = ints(context, 1);
  if (!x) return "its input has no integer form";
  if (!repeats) return "its repeats are computed at run time";
  const paired = x.shape.flatMap((size) => [1, size]);
  const wide = x.shape.flatMap((size, axis) => [repeats[axis], size]);
  const split = reshapeCode(context, x, paired);
  const grown: Code = { ...split, shape: wide };
  const name = context.emit({
    op: "Expand",
    inputs: [split.name],
    attrs: { shape: { ints: wide } },
    type: typeOfCode(grown),
  });
  return emitMove(context, "Reshape", [name], { shape: { ints: context.output(0).shape } }, x);
};

export const lowerGather: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no integer form";
  const axis = positive(intAttr(context.node, "axis", 0), x.shape.length);
  const indices = context.constant(1);
  const name = indices ? context.add(narrow(indices), `${context.output(0).name}/indices`) : context.node.inputs[1];
  return emitMove(context, "Gather", [x.name, name], { axis: { i: axis } }, x);
};

/** The new rows are brought to the cache's quantization, which is one for all of it. */
export const lowerTensorScatter: IntegerLowering = (context) => {
  const [past, update] = [context.input(0), context.input(1)];
  if (!past || !update) return "its input has no integer form";
  const { node } = context;
  const axis = positive(intAttr(node, "axis", -2), past.shape.length);
  if (axis === 0) return "its rows lie along the axis of the batches";
  const constant = context.constant(2);
  const absent = (node.inputs[2] ?? "") === "";
  const zeros = makeTensor("int32", [past.shape[0]], new Int32Array(past.shape[0]));
  const indices = constant ? narrow(constant) : absent ? zeros : undefined;
  const name = indices ? context.add(indices, `${context.output(0).name}/indices`) : node.inputs[2];
  const attrs = {
    axis: { i: axis },
    mode: { s: stringAttr(node, "mode", "linear") },
  };
  const rows = alignTo(context, update, past);
  return emitMove(context, "TensorScatter", [past.name, rows.name, name], attrs, past);
};

/** Constant indices as int32: the chip addresses with 32 bits. */
function narrow(indices: Tensor): Tensor {
  return makeTensor("int32", indices.shape, Int32Array.from(numbersOf(indices)));
}

export const lowerDepthToSpace: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no integer form";
  const block = intAttr(context.node, "blocksize", 1);
  const [n, c, h, w] = x.shape;
  const mode = context.node.attrs.get("mode");
  const columnFirst = mode && "s" in mode && mode.s === "CRD";
  const depth = c / (block * block);
  const split = columnFirst ? [n, depth, block, block, h, w] : [n, block, block, depth, h, w];
  const perm = columnFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
  const moved = transposeCode(context, reshapeCode(context, x, split), perm);
  return emitMove(context, "Reshape", [moved.name], { shape: { ints: context.output(0).shape } }, moved);
};

export const lowerSpaceToDepth: IntegerLowering = (context) => {
  const x = context.input(0);
  if (!x) return "its input has no integer form";
  const block = intAttr(context.node, "blocksize", 1);
  const [n, c, h, w] = x.shape;
  const split = reshapeCode(context, x, [n, c, h / block, block, w / block, block]);
  const moved = transposeCode(context, split, [0, 3, 5, 1, 2, 4]);
  return emitMove(context, "Reshape", [moved.name], { shape: { ints: context.output(0).shape } }, moved);
};

/** Integers that the chip stores; they become real numbers by way of int16, in which every one that the scales know is exact. */
const WHOLE: ReadonlySet<string> = new Set(["int8", "uint8", "int16", "int32"]);

/** Between real types the numbers stay. Integers are codes of scale 1; between integer types no number is computed. */
export const lowerCast: IntegerLowering = (context) => {
  const x = context.input(0);
  const output = context.output(0);
  if (!x) return "its input has no quantization";
  if (x.quant && output.quant) return lowerReshape(context);
  if (x.quant) return `it makes ${output.dtype} of real numbers, which are codes here`;
  if (x.dtype === "int64" && output.quant) return lookUp(context, x, output);
  if (!WHOLE.has(x.dtype)) return `it reads ${x.dtype}, which the chip does not store`;
  if (!output.quant) {
    if (!WHOLE.has(output.dtype)) return `it makes ${output.dtype}, which the chip does not store`;
    const attrs = { to: { s: output.dtype } };
    context.emit({ op: "Cast", inputs: [x.name], attrs, type: typeOfCode(output), name: output.name });
    return undefined;
  }
  const [low, high] = codeRange(output);
  const reach = scaleOf(output) * Math.max(zeroOf(output) - low, high - zeroOf(output));
  if (x.dtype === "int32" && reach > 32767) return `it reads integers up to ${reach}, beyond 16 bits`;
  const quant = { scale: Float32Array.of(1), zeroPoint: Int32Array.of(0) };
  const whole: Code = { name: "", dtype: "int16", shape: x.shape, quant };
  const stored = { dtype: whole.dtype, shape: whole.shape };
  const name =
    x.dtype === "int16"
      ? x.name
      : context.emit({ op: "Cast", inputs: [x.name], attrs: { to: { s: "int16" } }, type: stored });
  emitRescale(context, { ...whole, name }, output);
  return undefined;
};

/** Largest integer that is looked up: more want another form of the model. */
const LOOKED_UP = 4096;

/**
 * int64 is only an index to the chip, so its real number is looked up: at i for i ≥ 0, counted from the end for i < 0. The
 * table goes far beyond what calibration saw.
 */
function lookUp(context: LoweringContext, x: Code, output: Code): string | undefined {
  const [low, high] = codeRange(output);
  const reach = scaleOf(output) * Math.max(zeroOf(output) - low, high - zeroOf(output));
  const half = Math.max(256, Math.ceil(4 * reach));
  if (half > LOOKED_UP) return `it reads int64 numbers up to ${reach}, more than a table holds`;
  const values = Array.from({ length: 2 * half }, (_, at) => (at < half ? at : at - 2 * half));
  const codes = values.map((value) => codeOf(value, output));
  const data = output.dtype === "int16" ? Int16Array.from(codes) : Int8Array.from(codes);
  const table = context.add(makeTensor(output.dtype, [2 * half], data, output.quant), `${output.name}/integers`);
  const attrs = { axis: { i: 0 } };
  context.emit({ op: "Gather", inputs: [table, x.name], attrs, type: typeOfCode(output), name: output.name });
  return undefined;
}

/** The integers of a constant input; undefined where it is absent or computed. */
export function ints(context: LoweringContext, index: number): number[] | undefined {
  const tensor = context.constant(index);
  return tensor && numbersOf(tensor);
}

export function positive(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
