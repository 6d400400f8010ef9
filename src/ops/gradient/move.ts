/** Gradients of operators that move elements without changing them: each goes back where it came from, added up. */
import { type Attr, elementCount, intAttr, intsAttr, stringAttr } from "../../ir/graph.ts";
import { int64, stridesOf } from "../../ir/tensor.ts";
import type { Gradient, GradientBuilder, GradientContext, Value } from "../gradient.ts";
import { forEachIndex, offsetOf } from "../shared/index.ts";
import { integersOf } from "../shared/integers.ts";
import { axisAttr, reject, resolveAxis } from "../shared/types.ts";

/** The gradient of a node that has one input to differentiate, its first. */
function firstGradient(rule: (g: GradientContext, dy: Value, x: Value) => Value): Gradient {
  return (g) => {
    const dy = g.arriving(0);
    return [dy && g.wants(0) ? rule(g, dy, g.input(0)) : undefined];
  };
}

/** Integers that must be known while the gradient is built. */
export function knownIntegers(g: GradientContext, index: number): number[] {
  const tensor = g.constant(index);
  if (tensor === undefined) {
    reject(g.node, `input ${index} is computed while the model runs, so its gradient cannot be laid out`);
  }
  return integersOf(tensor);
}

const axisOf = (axis: number): Record<string, Attr> => ({ axis: { i: axis } });

export const passGradient = firstGradient((_, dy) => dy);

export const reshapeGradient = firstGradient((g, dy, x) => g.reshape(dy, x.shape));

export const transposeGradient = firstGradient((g, dy, x) => {
  const order = intsAttr(g.node, "perm") ?? x.shape.map((_, axis) => x.shape.length - 1 - axis);
  return g.transpose(
    dy,
    order.map((_, axis) => order.indexOf(axis)),
  );
});

export const expandGradient = firstGradient((g, dy, x) => g.sumTo(dy, x.shape));

/** Each axis as (repeats, size); the repeats are summed. */
export const tileGradient = firstGradient((g, dy, x) => {
  const split = x.shape.flatMap((size, axis) => [size === 0 ? 0 : dy.shape[axis] / size, size]);
  if (elementCount(x.shape) === 0) return g.zeros(x.dtype, x.shape);
  const axes = x.shape.flatMap((_, axis) => (split[2 * axis] === 1 ? [] : [2 * axis]));
  return g.reshape(g.sum(g.reshape(dy, split), axes, false), x.shape);
});

export const concatGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const axis = axisAttr(g.node, dy.shape.length, 0);
  let start = 0;
  return g.node.inputs.map((_, index) => {
    const from = start;
    start += g.input(index).shape[axis];
    return g.wants(index) ? slice(g, dy, axis, from, start) : undefined;
  });
};

function slice(g: GradientBuilder, value: Value, axis: number, start: number, end: number): Value {
  if (start === 0 && end === value.shape[axis]) return value;
  return g.emit("Slice", [value, int64([1], [start]), int64([1], [end]), int64([1], [axis])]);
}

/** Zeros before and after, along axes. */
function padded(g: GradientBuilder, value: Value, begin: readonly number[], end: readonly number[]): Value {
  if ([...begin, ...end].every((size) => size === 0)) return value;
  return g.emit("Pad", [value, int64([begin.length * 2], [...begin, ...end])]);
}

export const splitGradient: Gradient = (g) => {
  if (!g.wants(0)) return [];
  const axis = axisAttr(g.node, g.input(0).shape.length, 0);
  const parts = g.node.outputs.map((_, index) => {
    const arrived = g.arriving(index);
    if (arrived !== undefined) return arrived;
    const { dtype, shape } = g.output(index);
    return g.zeros(dtype, shape);
  });
  return [parts.length === 1 ? parts[0] : g.emit("Concat", parts, { attrs: axisOf(axis) })];
};

/** Elements of an axis at start, start + step, …: zeros between them, and before and after. A negative step is turned round first. */
export const sliceGradient = firstGradient((g, dy, x) => {
  const axes = (g.optional(3) ? knownIntegers(g, 3) : knownIntegers(g, 1).map((_, at) => at)).map((axis) =>
    resolveAxis(g.node, axis, x.shape.length),
  );
  const starts = knownIntegers(g, 1);
  const steps = g.optional(4) ? knownIntegers(g, 4) : axes.map(() => 1);
  const begin = x.shape.map(() => 0);
  let value = dy;
  axes.forEach((axis, at) => {
    const [size, count, step] = [x.shape[axis], dy.shape[axis], steps[at]];
    if (count === 0) return;
    const from = Math.min(Math.max(starts[at] < 0 ? starts[at] + size : starts[at], 0), step < 0 ? size - 1 : size);
    if (step < 0) value = reversed(g, value, axis);
    begin[axis] = step < 0 ? from + step * (count - 1) : from;
    if (Math.abs(step) > 1 && count > 1) value = spreadApart(g, value, axis, Math.abs(step));
  });
  const end = x.shape.map((size, axis) => (value.shape[axis] === 0 ? size : size - begin[axis] - value.shape[axis]));
  return padded(g, value, begin, end);
});

function reversed(g: GradientBuilder, value: Value, axis: number): Value {
  const list = (number: number) => int64([1], [number]);
  return g.emit("Slice", [value, list(-1), list(-(2 ** 31)), list(axis), list(-1)]);
}

/** step − 1 zeros between the elements of an axis. */
function spreadApart(g: GradientBuilder, value: Value, axis: number, step: number): Value {
  const count = value.shape[axis];
  const wide = g.reshape(value, [...value.shape.slice(0, axis + 1), 1, ...value.shape.slice(axis + 1)]);
  const zero = wide.shape.map(() => 0);
  const filled = padded(g, wide, zero, zero.with(axis + 1, step - 1));
  return slice(g, g.reshape(filled, value.shape.with(axis, count * step)), axis, 0, (count - 1) * step + 1);
}

/** Constant padding is cut off again. Where the border was repeated, every element goes back to where it was read. */
export const padGradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const x = g.input(0);
  const rank = x.shape.length;
  const axes = g.optional(3)
    ? knownIntegers(g, 3).map((axis) => resolveAxis(g.node, axis, rank))
    : x.shape.map((_, axis) => axis);
  const list = knownIntegers(g, 1);
  const begin = x.shape.map(() => 0);
  const end = x.shape.map(() => 0);
  axes.forEach((axis, at) => {
    begin[axis] = list[at];
    end[axis] = list[at + axes.length];
  });
  if (stringAttr(g.node, "mode", "constant") !== "constant") return [scatterBack(g, dy, x, begin)];
  let value = dy;
  x.shape.forEach((_, axis) => {
    value = slice(g, value, axis, Math.max(0, begin[axis]), dy.shape[axis] - Math.max(0, end[axis]));
  });
  const cropped = (sizes: readonly number[]): number[] => sizes.map((size) => Math.max(0, -size));
  const byData = g.wants(0) ? padded(g, value, cropped(begin), cropped(end)) : undefined;
  if (!g.wants(2)) return [byData];
  const all = (each: Value): Value =>
    g.sum(
      each,
      each.shape.map((_, axis) => axis),
      false,
    );
  return [byData, undefined, g.reshape(g.sub(all(dy), all(value)), g.input(2).shape)];
};

/** The places that a padding in mode reflect, edge or wrap reads, axis by axis, as sums over the positions that read the same. */
function scatterBack(g: GradientContext, dy: Value, x: Value, begin: readonly number[]): Value {
  const mode = stringAttr(g.node, "mode", "constant");
  const place = (index: number, size: number): number => {
    if (mode === "edge") return Math.min(Math.max(index, 0), size - 1);
    const turn = mode === "wrap" ? size : Math.max(1, 2 * size - 2);
    const at = ((index % turn) + turn) % turn;
    return mode === "wrap" || at < size ? at : turn - at;
  };
  const strides = stridesOf(x.shape);
  const places = new Array<number>(elementCount(dy.shape));
  forEachIndex(dy.shape, (index, position) => {
    places[position] = offsetOf(
      index.map((at, axis) => place(at - begin[axis], x.shape[axis])),
      strides,
    );
  });
  return scatterAdd(g, dy, int64([places.length], places), x);
}

/** Zeros of x's shape, with each element of `value` added at its flat place. */
export function scatterAdd(
  g: GradientBuilder,
  value: Value,
  places: Value | ReturnType<typeof int64>,
  x: Value,
): Value {
  const count = elementCount(value.shape);
  const zeros = g.zeros(value.dtype, [elementCount(x.shape)]);
  const attrs = { ...axisOf(0), reduction: { s: "add" } };
  const flat = "name" in places ? g.reshape(places, [count]) : places;
  return g.reshape(g.emit("ScatterElements", [zeros, flat, g.reshape(value, [count])], { attrs }), x.shape);
}

/** Tables of at most this many rows are summed by a product with one-hot rows, larger ones by scattering. */
const ONE_HOT_ROWS = 1024;

/**
 * Rows of a table. One row that is known: padding. A small table: one-hot rows times the gradients, a product that is
 * faster than scattering and adds in a fixed order. A large one: ScatterElements, which copies the table once.
 */
export const gatherGradient = firstGradient((g, dy, x) => {
  const indices = g.input(1);
  const axis = axisAttr(g.node, x.shape.length, 0);
  const size = x.shape[axis];
  const known = g.constant(1);
  if (known !== undefined && elementCount(known.shape) === 1) {
    const [index] = integersOf(known);
    const at = index < 0 ? index + size : index;
    const zero = x.shape.map(() => 0);
    return padded(g, g.reshape(dy, x.shape.with(axis, 1)), zero.with(axis, at), zero.with(axis, size - 1 - at));
  }
  const count = elementCount(indices.shape);
  const inner = elementCount(x.shape.slice(axis + 1));
  const outer = elementCount(x.shape.slice(0, axis));
  const flat = g.reshape(indices, [count]);
  const stack = g.reshape(dy, [outer, count, inner]);
  if (size <= ONE_HOT_ROWS) {
    const values = dy.dtype === "float64" ? Float64Array.of(0, 1) : Float32Array.of(0, 1);
    const depth = int64([], [size]);
    const hot = g.emit("OneHot", [flat, depth, { dtype: dy.dtype, shape: [2], data: values }], { attrs: axisOf(0) });
    const single = outer === 1 ? g.reshape(stack, [count, inner]) : stack;
    return g.reshape(g.emit("MatMul", [hot, single]), x.shape);
  }
  const spread = g.expand(g.reshape(flat, [1, count, 1]), [outer, count, inner]);
  const attrs = { ...axisOf(1), reduction: { s: "add" } };
  const zeros = g.zeros(dy.dtype, [outer, size, inner]);
  return g.reshape(g.emit("ScatterElements", [zeros, spread, stack], { attrs }), x.shape);
});

export const gatherElementsGradient = firstGradient((g, dy, x) => {
  const attrs = { ...axisOf(axisAttr(g.node, x.shape.length, 0)), reduction: { s: "add" } };
  return g.emit("ScatterElements", [g.zeros(x.dtype, x.shape), g.input(1), dy], { attrs });
});

/** Batch axes of GatherND become coordinates of their own, so that ScatterND can put everything back. */
export const gatherNdGradient = firstGradient((g, dy, x) => {
  if (intAttr(g.node, "batch_dims", 0) !== 0) {
    reject(g.node, "the gradient of GatherND with batch_dims is not known", "gather with GatherElements");
  }
  return g.emit("ScatterND", [g.zeros(x.dtype, x.shape), g.input(1), dy], { attrs: { reduction: { s: "add" } } });
});

/** [n, c, h·b, w·b] → [n, c·b², h, w], the order of channels as DepthToSpace's `mode` has it. */
export const depthToSpaceGradient = firstGradient((g, dy, x) => {
  const block = intAttr(g.node, "blocksize", 0);
  const [batch, channels, height, width] = x.shape;
  const split = g.reshape(dy, [batch, channels / block ** 2, height, block, width, block]);
  const crd = stringAttr(g.node, "mode", "DCR") === "CRD";
  return g.reshape(g.transpose(split, crd ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]), x.shape);
});

export const spaceToDepthGradient = firstGradient((g, dy) =>
  g.emit("DepthToSpace", [dy], {
    attrs: { blocksize: { i: intAttr(g.node, "blocksize", 0) }, mode: { s: stringAttr(g.node, "mode", "DCR") } },
  }),
);

export const triluGradient = firstGradient((g, dy) =>
  g.emit("Trilu", [dy, g.optional(1)], { attrs: { upper: { i: intAttr(g.node, "upper", 1) } } }),
);

/** A sum of what came before goes back as a sum of what comes after. */
export const cumSumGradient = firstGradient((g, dy) =>
  g.emit("CumSum", [dy, g.input(1)], {
    attrs: {
      exclusive: { i: intAttr(g.node, "exclusive", 0) },
      reverse: { i: 1 - intAttr(g.node, "reverse", 0) },
    },
  }),
);
