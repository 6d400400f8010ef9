import { elementCount, intAttr, intsAttr, type Node } from "../../ir/graph.ts";
import { numbersOf, stridesOf } from "../../ir/tensor.ts";
import { axisView, stridedOffsets } from "../../ops/shared/index.ts";
import { reducedAxes } from "../../ops/shared/reduce.ts";
import { axisAttr } from "../../ops/shared/types.ts";
import { windowOf } from "../../ops/shared/window.ts";
import { layPost } from "./post.ts";
import type { CompileStep, Slot } from "./step.ts";

/** npu.ReduceSum (0), npu.ReduceMax (1), npu.ReduceMin (2). */
export function compileReduce(kind: 0 | 1 | 2): CompileStep {
  return (context) => {
    const { node, kernels, layout, output } = context;
    const x = context.input(0);
    if (x.dtype !== "int8" && x.dtype !== "int16") return undefined;
    const post = kind === 0 ? layPost(context, 1) : 0;
    if (post === undefined) return undefined;
    const { bases, members } = groupsOf(node, x);
    const [basesAddress, membersAddress] = [layout.constant(bases), layout.constant(members)];
    const zero = intAttr(node, "x_zero", 0);
    const [room] = layout.scratch(bases.length * 4 + 32);
    return () => {
      kernels.reduceGroups(
        kind,
        x.address,
        x.bytes,
        zero,
        basesAddress,
        bases.length,
        membersAddress,
        members.length,
        room + layout.scratchAddress,
        post,
        output.address,
      );
    };
  };
}

export const compileReduceL2: CompileStep = (context) => {
  const { node, kernels, layout, output } = context;
  const x = context.input(0);
  const post = layPost(context, 1, { wide: true });
  if (post === undefined) return undefined;
  const { bases, members } = groupsOf(node, x);
  const [basesAddress, membersAddress] = [layout.constant(bases), layout.constant(members)];
  const zero = intAttr(node, "x_zero", 0);
  const [room] = layout.scratch(bases.length * 8);
  return () => {
    kernels.rootGroups(
      x.address,
      x.bytes,
      zero,
      basesAddress,
      bases.length,
      membersAddress,
      members.length,
      room + layout.scratchAddress,
      post,
      output.address,
    );
  };
};

export const compileReduceMargin: CompileStep = (context) => {
  const { node, kernels, layout, output } = context;
  const x = context.input(0);
  const { bases, members } = groupsOf(node, x);
  const [basesAddress, membersAddress] = [layout.constant(bases), layout.constant(members)];
  const ctc = intAttr(node, "ctc", 0);
  return () => {
    kernels.marginGroups(
      ctc,
      x.address,
      x.bytes,
      basesAddress,
      bases.length,
      membersAddress,
      members.length,
      output.address,
    );
  };
};

/** Byte offsets of the groups' first elements, and of a group's elements from there. */
function groupsOf(node: Node, x: Slot): { bases: Int32Array; members: Int32Array } {
  const axes = reducedAxes(node, intsAttr(node, "axes"), x.shape.length);
  const steps = stridesOf(x.shape).map((step) => step * x.bytes);
  const along = (inside: boolean) => {
    const chosen = x.shape.map((_, axis) => axis).filter((axis) => axes.has(axis) === inside);
    return stridedOffsets(
      chosen.map((axis) => x.shape[axis]),
      chosen.map((axis) => steps[axis]),
    );
  };
  return { bases: along(false), members: along(true) };
}

/** npu.MaxPool and npu.AveragePool in one or two dimensions. */
export function compilePool(average: boolean): CompileStep {
  return (context) => {
    const { node, kernels, output } = context;
    const x = context.input(0);
    const kernel = intsAttr(node, "kernel_shape") ?? [];
    if (x.shape.length > 4) return undefined;
    const post = average ? layPost(context, 1) : 0;
    if (post === undefined) return undefined;
    const sizes = x.shape.slice(2);
    const window = windowOf(node, sizes, kernel);
    const pair = (list: readonly number[], one: number) => (list.length === 1 ? [one, list[0]] : list);
    const padded = sizes.map((size, axis) => size + window.end[axis]);
    const zero = intAttr(node, "x_zero", 0);
    const countsPadding = intAttr(node, "count_include_pad", 0);
    const numbers = [
      x.shape[0] * x.shape[1],
      ...pair(sizes, 1),
      ...pair(window.output, 1),
      ...pair(window.kernel, 1),
      ...pair(window.strides, 1),
      ...pair(window.dilations, 1),
      ...pair(window.begin, 0),
      ...pair(padded, 1),
      zero,
      countsPadding,
      post,
    ];
    return () => kernels.pool(average ? 1 : 0, x.address, x.bytes, ...numbers, output.address);
  };
}

export const compileSoftmax: CompileStep = (context) => {
  const { node, kernels, layout, output } = context;
  const x = context.input(0);
  const tensor = context.constant(1);
  if (!tensor) return undefined;
  const table = layout.constant(Int32Array.from(numbersOf(tensor)));
  const { outer, size, inner } = axisView(x.shape, axisAttr(node, x.shape.length, -1));
  const kind = output.dtype === "uint8" ? 0 : output.dtype === "int8" ? 1 : 2;
  const [room] = layout.scratch(size * 4);
  return () => {
    kernels.softmax(kind, x.address, x.bytes, outer, size, inner, table, room + layout.scratchAddress, output.address);
  };
};

export const compileLayerNorm: CompileStep = (context) => {
  const { node, kernels, layout, output } = context;
  const x = context.input(0);
  const [gamma, beta] = [context.constant(1), context.constant(2)];
  const post = layPost(context, 3, { wide: true });
  if (!gamma || !beta || post === undefined) return undefined;
  const size = elementCount(x.shape.slice(axisAttr(node, x.shape.length, -1)));
  const gammas = Int16Array.from(numbersOf(gamma));
  const betas = Int32Array.from(numbersOf(beta));
  const [gammaAddress, betaAddress] = [layout.constant(gammas), layout.constant(betas)];
  const [gammaStep, betaStep] = [gammas.length > 1 ? 1 : 0, betas.length > 1 ? 1 : 0];
  const zero = intAttr(node, "x_zero", 0);
  const center = intAttr(node, "center", 1);
  const epsilon = BigInt(intAttr(node, "epsilon", 1));
  const [room] = layout.scratch(size * 8);
  return () => {
    kernels.layerNorm(
      x.address,
      x.bytes,
      x.count / size,
      size,
      zero,
      center,
      epsilon,
      gammaAddress,
      gammaStep,
      betaAddress,
      betaStep,
      room + layout.scratchAddress,
      post,
      output.address,
    );
  };
};
