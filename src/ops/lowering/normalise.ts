import { CompileError } from "../../error.ts";
import { elementCount, floatAttr, intAttr } from "../../ir/graph.ts";
import { makeTensor, numbersOf } from "../../ir/tensor.ts";
import type { Code, IntegerLowering, LoweringContext } from "../integer.ts";
import { typeOfCode } from "./linear.ts";
import { positive } from "./move.ts";
import { postStage, scaleOf, zeroOf } from "./post.ts";

/** exp(−d·s) on the differences d of codes, as 15-bit fractions: the sealed table of Softmax. */
export function expTable(x: Code): Int32Array {
  const scale = scaleOf(x);
  const entry = (difference: number) => Math.round(2 ** 15 * Math.exp(-difference * scale));
  if (x.dtype === "int8") return Int32Array.from({ length: 256 }, (_, index) => entry(index));
  // exp(−(256h + l)·s) = exp(−256h·s) · exp(−l·s): one table for each byte of the difference.
  return Int32Array.from({ length: 512 }, (_, index) => entry(index < 256 ? index * 256 : index - 256));
}

export const lowerSoftmax: IntegerLowering = (context) => {
  const x = context.input(0);
  const output = context.output(0);
  if (!x) return "its input has no quantization";
  const axis = positive(intAttr(context.node, "axis", -1), x.shape.length);
  const table = context.add(makeTensor("int32", [x.dtype === "int8" ? 256 : 512], expTable(x)), `${output.name}/exp`);
  const unnormalised = output.dtype === "uint8";
  context.emit({
    op: "Softmax",
    inputs: [x.name, table],
    attrs: { axis: { i: axis }, normalised: { i: unnormalised ? 0 : 1 }, y_dtype: { s: output.dtype } },
    type: typeOfCode(output),
    name: output.name,
  });
};

/** LayerNormalization (`center`) and RMSNormalization: exact sums, an integer root, gamma in 16 bits. */
export function lowerNorm(center: boolean): IntegerLowering {
  return (context) => {
    const x = context.input(0);
    if (!x) return "its input has no quantization";
    const { node } = context;
    const gamma = context.constant(1);
    const beta = node.inputs[2] ? context.constant(2) : undefined;
    if (!gamma || (node.inputs[2] && !beta)) return "its gain or shift is computed at run time";
    if (node.outputs[1] || node.outputs[2]) return "its mean and deviation outputs have no integer form";
    const axis = positive(intAttr(node, "axis", -1), x.shape.length);
    const count = elementCount(x.shape.slice(axis));
    const reach = x.dtype === "int16" ? 65535 : 255;
    if (count * count * reach * reach >= 2 ** 52) return `a variance of ${count} ${x.dtype} codes is beyond 52 bits`;
    emitNorm(context, x, axis, count, spread(gamma, count), beta && spread(beta, count), center);
    return undefined;
  };
}

function spread(tensor: Parameters<typeof numbersOf>[0], count: number): number[] {
  const values = numbersOf(tensor);
  if (count % values.length === 0) return Array.from({ length: count }, (_, index) => values[index % values.length]);
  throw new CompileError("model/bad-shape", `a gain of ${values.length} numbers does not fit ${count} normalised ones`);
}

export function emitNorm(
  context: LoweringContext,
  x: Code,
  axis: number,
  count: number,
  gamma: readonly number[],
  beta: readonly number[] | undefined,
  center: boolean,
): void {
  const output = context.output(0);
  const largestGamma = gamma.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const largestBeta = beta?.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) ?? 0;
  // One unit for both: gamma's codes fit 16 bits, beta's (4096 finer, as t has 12 fractional bits) fit 31.
  const unit = Math.max(largestGamma / 32767, (largestBeta * 4096) / 2 ** 30) || 1;
  const gammas = Int16Array.from(gamma, (value) => Math.round(value / unit));
  const betas = Int32Array.from({ length: count }, (_, index) => Math.round(((beta?.[index] ?? 0) * 4096) / unit));
  const epsilon = Math.max(1, Math.round((floatAttr(context.node, "epsilon", 1e-5) * count * count) / scaleOf(x) ** 2));
  if (epsilon >= 2 ** 51) throw new CompileError("model/epsilon", "epsilon dwarfs every value that it is added to");
  const limit = 4096 * Math.sqrt(count) * 32767 + 2 ** 30;
  const post = postStage({ ...context, riding: undefined }, [unit / 4096], limit, true);
  context.emit({
    op: "LayerNorm",
    inputs: [
      x.name,
      context.add(makeTensor("int16", [count], gammas), `${output.name}/gamma`),
      context.add(makeTensor("int32", [count], betas), `${output.name}/beta`),
      ...post.inputs,
    ],
    attrs: {
      ...post.attrs,
      x_zero: { i: zeroOf(x) },
      axis: { i: axis },
      center: { i: center ? 1 : 0 },
      epsilon: { i: epsilon },
    },
    type: typeOfCode(output),
    name: output.name,
  });
}
