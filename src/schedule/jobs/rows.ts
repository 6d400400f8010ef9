/** Operators that read whole rows or windows: pooling, reductions, softmax, normalisation. */
import { intAttr, intsAttr, type Node } from "../../ir/graph.ts";
import { allOf, nameOf, postOf, postViews, required, type TileJob, windowRange } from "../job.ts";
import type { ReduceCommand } from "../program.ts";
import { type Box, permuteView, reshapeView, type View } from "../view.ts";
import { padsOf, pairOf, withTwoAxes } from "./linear.ts";

export function poolJob(node: Node, views: readonly (View | undefined)[], result: View): TileJob {
  const x = withTwoAxes(required(views[0], "x"));
  const post = postViews(views, 1);
  const y = withTwoAxes(result);
  const [kernel, strides] = [pairOf(node, "kernel_shape", 1), pairOf(node, "strides", 1)];
  const [dilations, pads] = [pairOf(node, "dilations", 1), padsOf(node)];
  const average = node.op === "AveragePool";
  const along = (axis: 0 | 1, start: number, size: number) => {
    const reach = (kernel[axis] - 1) * dilations[axis] + 1;
    const length = x.shape[2 + axis];
    const range = windowRange(start, size, { stride: strides[axis], pad: pads[axis], reach, length });
    // What ceil_mode adds beyond the padded input is not padding: it never counts.
    const padding = Math.max(0, length + pads[2 + axis] - (range.first + range.count));
    return { ...range, after: Math.min(range.after, padding) };
  };
  const ranges = (box: Box) => ({
    rows: along(0, box.start[2], box.size[2]),
    columns: along(1, box.start[3], box.size[3]),
  });
  return {
    kind: "tile",
    engine: "vector",
    name: nameOf(node),
    origin: node.origin,
    inputs: average ? [x, ...post] : [x],
    output: y,
    channelAxis: 1,
    cuts: [
      { axis: 2, quantum: 1 },
      { axis: 1, quantum: 1 },
      { axis: 3, quantum: 1 },
      { axis: 0, quantum: 1 },
    ],
    needs(box) {
      const { rows, columns } = ranges(box);
      const cells: Box = {
        start: [box.start[0], box.start[1], rows.first, columns.first],
        size: [box.size[0], box.size[1], rows.count, columns.count],
      };
      return average ? [cells, ...post.map(allOf)] : [cells];
    },
    command(box, operands, output) {
      const { rows, columns } = ranges(box);
      return {
        kind: "pool",
        engine: "vector",
        operation: average ? "average" : "max",
        x: required(operands[0], "x"),
        y: output,
        xZero: average ? intAttr(node, "x_zero", 0) : 0,
        kernel,
        strides,
        pads: [rows.before, columns.before, Math.max(0, rows.after), Math.max(0, columns.after)],
        dilations,
        countIncludePad: intAttr(node, "count_include_pad", 0) === 1,
        ...(average ? { post: postOf(node, operands, 1) } : {}),
      };
    },
  };
}

const REDUCTIONS: ReadonlyMap<string, ReduceCommand["operation"]> = new Map([
  ["ReduceSum", "sum"],
  ["ReduceL2", "l2"],
  ["ReduceMargin", "margin"],
  ["ReduceMax", "max"],
  ["ReduceMin", "min"],
]);

export function reduceJob(node: Node, views: readonly (View | undefined)[], result: View): TileJob {
  const given = required(views[0], "x");
  const post = postViews(views, 1);
  const rank = given.shape.length;
  const axes = (intsAttr(node, "axes") ?? given.shape.map((_, axis) => axis)).map((axis) => (axis + rank) % rank);
  const reduced = axes.length === 0 ? given.shape.map((_, axis) => axis) : axes;
  const kept = given.shape.flatMap((_, axis) => (reduced.includes(axis) ? [] : [axis]));
  const gone = given.shape.flatMap((_, axis) => (reduced.includes(axis) ? [axis] : []));
  const x = permuteView(given, [...kept, ...gone]);
  const keptShape = kept.map((axis) => given.shape[axis]);
  const y = required(reshapeView(result, keptShape), "y");
  const known = required(REDUCTIONS.get(node.op), node.op);
  const operation = known === "margin" && intAttr(node, "ctc", 0) === 1 ? "ctc-margin" : known;
  const staged = operation === "sum" || operation === "l2";
  return {
    kind: "tile",
    engine: "vector",
    name: nameOf(node),
    origin: node.origin,
    inputs: staged ? [x, ...post] : [x],
    output: y,
    cuts: keptShape.map((_, axis) => ({ axis, quantum: 1 })),
    needs(box) {
      const rows: Box = {
        start: [...box.start, ...gone.map(() => 0)],
        size: [...box.size, ...gone.map((axis) => given.shape[axis])],
      };
      return staged ? [rows, ...post.map(allOf)] : [rows];
    },
    command: (_, operands, output) => ({
      kind: "reduce",
      engine: "vector",
      operation,
      x: required(operands[0], "x"),
      y: output,
      xZero: staged ? intAttr(node, "x_zero", 0) : 0,
      ...(staged ? { post: postOf(node, operands, 1, operation === "l2" ? true : undefined) } : {}),
    }),
  };
}

export function softmaxJob(node: Node, views: readonly (View | undefined)[], result: View): TileJob {
  const rank = result.shape.length;
  const axis = (intAttr(node, "axis", -1) + rank) % rank;
  const order = [...result.shape.keys()].filter((at) => at !== axis);
  const x = permuteView(required(views[0], "x"), [...order, axis]);
  const y = permuteView(result, [...order, axis]);
  return {
    kind: "tile",
    engine: "vector",
    name: nameOf(node),
    origin: node.origin,
    inputs: [x, views[1]],
    output: y,
    cuts: order.map((_, at) => ({ axis: at, quantum: 1 })),
    needs: (box) => [box, allOf(views[1])],
    command: (_, operands, output) => ({
      kind: "softmax",
      engine: "vector",
      x: required(operands[0], "x"),
      table: required(operands[1], "table"),
      y: output,
      normalised: intAttr(node, "normalised", 1) === 1,
    }),
  };
}

export function normJob(node: Node, views: readonly (View | undefined)[], output: View): TileJob {
  const rank = output.shape.length;
  const axis = (intAttr(node, "axis", -1) + rank) % rank;
  return {
    kind: "tile",
    engine: "vector",
    name: nameOf(node),
    origin: node.origin,
    inputs: [views[0], views[1], views[2], views[3], views[4]],
    output,
    cuts: output.shape.slice(0, axis).map((_, at) => ({ axis: at, quantum: 1 })),
    needs: (box) => [box, allOf(views[1]), allOf(views[2]), allOf(views[3]), allOf(views[4])],
    command: (_, operands, y) => ({
      kind: "norm",
      engine: "vector",
      x: required(operands[0], "x"),
      gamma: required(operands[1], "gamma"),
      beta: required(operands[2], "beta"),
      y,
      xZero: intAttr(node, "x_zero", 0),
      axes: rank - axis,
      center: intAttr(node, "center", 1) === 1,
      epsilon: intAttr(node, "epsilon", 1),
      post: postOf(node, operands, 3, true),
    }),
  };
}
