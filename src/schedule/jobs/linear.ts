/** Convolutions and matrix products: what the array does. */
import { intAttr, intsAttr, type Node } from "../../ir/graph.ts";
import { channelBox, nameOf, postBoxes, postOf, postViews, required, type TileJob, windowRange } from "../job.ts";
import type { ConvMapping, WeightOperand } from "../program.ts";
import { type Box, broadcastView, reshapeView, sliceView, type View } from "../view.ts";
import { pairedBox, pairedOf, pairedOperand, pairedShape } from "./nibbles.ts";
import { jobWeights, MULTIPLIERS } from "./packed.ts";

/** [N,C,L] as [N,C,1,L]: the array's loops always have two spatial axes. */
export function withTwoAxes(view: View): View {
  if (view.shape.length === 4) return view;
  const [batch, channels, length] = view.shape;
  return reshapeView(view, [batch, channels, 1, length]) ?? view;
}

/** Attribute values of two spatial axes; a single axis is the second one. */
export function pairOf(node: Node, name: string, fallback: number): [number, number] {
  const given = intsAttr(node, name) ?? [];
  return given.length === 1 ? [fallback, given[0]] : [given[0] ?? fallback, given[1] ?? fallback];
}

/** ONNX's begin and end pads → top, left, bottom, right. */
export function padsOf(node: Node): [number, number, number, number] {
  const given = intsAttr(node, "pads") ?? [];
  if (given.length === 2) return [0, given[0], 0, given[1]];
  return [given[0] ?? 0, given[1] ?? 0, given[2] ?? 0, given[3] ?? 0];
}

/** How a convolution is put on the chip; decided for the whole graph (mapping.ts). */
export interface Mapped {
  readonly mapping: ConvMapping;
  readonly block: number;
}

/** Some of a convolution's output channels, mapped in one way. */
export interface MappedPart extends Mapped {
  readonly start: number;
  readonly count: number;
}

/** A depthwise layer's channels [start, start + count) as a convolution of their own. */
export function convPart(node: Node, views: readonly (View | undefined)[], result: View, part: MappedPart): TileJob {
  const { mapping, block, start, count } = part;
  const channels = result.shape[1];
  if (count === channels) return convJob(node, views, result, { mapping, block });
  const slice = (view: View | undefined, axis: number) =>
    view && view.shape[axis] === channels ? sliceView(view, axis, start, count, 1) : view;
  const [x, w, bias] = views;
  const [multiplier, shift, table, ...rescale] = postViews(views, 3);
  const stage = [slice(multiplier, 0), slice(shift, 0), table, ...rescale.map((view) => slice(view, 0))];
  const own = [slice(x, 1), slice(w, 0), slice(bias, 0), ...stage];
  return convJob(node, own, sliceView(result, 1, start, count, 1), { mapping, block });
}

export function convJob(node: Node, views: readonly (View | undefined)[], result: View, mapped: Mapped): TileJob {
  const x = withTwoAxes(required(views[0], "x"));
  const w = jobWeights(node, views, 0, withTwoAxes);
  const y = withTwoAxes(result);
  const post = postViews(views, 3);
  const [strides, dilations, pads] = [pairOf(node, "strides", 1), pairOf(node, "dilations", 1), padsOf(node)];
  const groups = x.shape[1] / w.shape[1];
  const [inputsPerGroup, outputsPerGroup] = [w.shape[1], w.shape[0] / groups];
  const along = (axis: 0 | 1) => ({
    stride: strides[axis],
    pad: pads[axis],
    reach: (w.shape[2 + axis] - 1) * dilations[axis] + 1,
    length: x.shape[2 + axis],
  });
  const ranges = (box: Box) => ({
    rows: windowRange(box.start[2], box.size[2], along(0)),
    columns: windowRange(box.start[3], box.size[3], along(1)),
  });
  return {
    kind: "tile",
    engine: mapped.mapping === "vector" ? "vector" : "array",
    name: nameOf(node),
    origin: node.origin,
    inputs: [x, w.view, views[2], ...post, w.multipliers],
    output: y,
    channelAxis: 1,
    cuts: [
      { axis: 2, quantum: 1 },
      { axis: 1, quantum: groups > 1 ? outputsPerGroup : 1 },
      { axis: 3, quantum: 1 },
      { axis: 0, quantum: 1 },
    ],
    needs(box) {
      const { rows, columns } = ranges(box);
      const [channel, channels] = [box.start[1], box.size[1]];
      const firstGroup = Math.floor(channel / outputsPerGroup);
      const countGroups = Math.ceil((channel + channels) / outputsPerGroup) - firstGroup;
      const depth = groups > 1 ? [firstGroup * inputsPerGroup, countGroups * inputsPerGroup] : [0, x.shape[1]];
      const filters = (): Box => ({ start: [channel, 0, 0, 0], size: [channels, ...w.shape.slice(1)] });
      const { weights, multipliers } = w.boxes(channel, channels, filters);
      return [
        {
          start: [box.start[0], depth[0], rows.first, columns.first],
          size: [box.size[0], depth[1], rows.count, columns.count],
        },
        weights,
        channelBox(views[2], channel, channels),
        ...postBoxes(post, channel, channels),
        multipliers,
      ];
    },
    command(box, operands, output) {
      const { rows, columns } = ranges(box);
      const bias = operands[2];
      const { weights, ...factors } = w.operands(required(operands[1], "w"), operands[MULTIPLIERS]);
      return {
        kind: "conv",
        engine: mapped.mapping === "vector" ? "vector" : "array",
        x: required(operands[0], "x"),
        w: weights,
        ...factors,
        ...(bias === undefined ? {} : { bias }),
        y: output,
        xZero: intAttr(node, "x_zero", 0),
        strides,
        pads: [rows.before, columns.before, rows.after, columns.after],
        dilations,
        groups: groups > 1 ? box.size[1] / outputsPerGroup : 1,
        ...mapped,
        post: postOf(node, operands, 3),
      };
    },
  };
}

/** The inputs that reach outputs [start, start + size): i·stride + k·dilation − pad for some tap k. */
function sources(start: number, size: number, stride: number, pad: number, reach: number, length: number) {
  const low = Math.min(Math.max(Math.ceil((start + pad - (reach - 1)) / stride), 0), length - 1);
  const high = Math.max(Math.min(Math.floor((start + size - 1 + pad) / stride), length - 1), low);
  return { first: low, count: high - low + 1, pad: pad + start - low * stride };
}

export function deconvJob(node: Node, views: readonly (View | undefined)[], result: View): TileJob {
  const x = withTwoAxes(required(views[0], "x"));
  const w = jobWeights(node, views, 1, withTwoAxes);
  const y = withTwoAxes(result);
  const post = postViews(views, 3);
  const [strides, dilations, pads] = [pairOf(node, "strides", 1), pairOf(node, "dilations", 1), padsOf(node)];
  const groups = intAttr(node, "group", 1);
  const [inputsPerGroup, outputsPerGroup] = [w.shape[0] / groups, w.shape[1]];
  const reach = (axis: 0 | 1) => (w.shape[2 + axis] - 1) * dilations[axis] + 1;
  const ranges = (box: Box) => ({
    rows: sources(box.start[2], box.size[2], strides[0], pads[0], reach(0), x.shape[2]),
    columns: sources(box.start[3], box.size[3], strides[1], pads[1], reach(1), x.shape[3]),
  });
  return {
    kind: "tile",
    engine: "array",
    name: nameOf(node),
    origin: node.origin,
    inputs: [x, w.view, views[2], ...post, w.multipliers],
    output: y,
    channelAxis: 1,
    cuts: [
      { axis: 2, quantum: 1 },
      { axis: 1, quantum: groups > 1 ? outputsPerGroup : 1 },
      { axis: 3, quantum: 1 },
      { axis: 0, quantum: 1 },
    ],
    needs(box) {
      const { rows, columns } = ranges(box);
      const [channel, channels] = [box.start[1], box.size[1]];
      const group = Math.floor(channel / outputsPerGroup);
      const depth =
        groups > 1 ? [group * inputsPerGroup, (channels / outputsPerGroup) * inputsPerGroup] : [0, x.shape[1]];
      const outputs = groups > 1 ? [0, outputsPerGroup] : [channel, channels];
      const filters = (): Box => ({
        start: [depth[0], outputs[0], 0, 0],
        size: [depth[1], outputs[1], ...w.shape.slice(2)],
      });
      const { weights, multipliers } = w.boxes(channel, channels, filters);
      return [
        {
          start: [box.start[0], depth[0], rows.first, columns.first],
          size: [box.size[0], depth[1], rows.count, columns.count],
        },
        weights,
        channelBox(views[2], channel, channels),
        ...postBoxes(post, channel, channels),
        multipliers,
      ];
    },
    command(box, operands, output) {
      const { rows, columns } = ranges(box);
      const bias = operands[2];
      const { weights, ...factors } = w.operands(required(operands[1], "w"), operands[MULTIPLIERS]);
      return {
        kind: "deconv",
        engine: "array",
        x: required(operands[0], "x"),
        w: weights,
        ...factors,
        ...(bias === undefined ? {} : { bias }),
        y: output,
        xZero: intAttr(node, "x_zero", 0),
        strides,
        pads: [rows.pad, columns.pad],
        dilations,
        groups: groups > 1 ? box.size[1] / outputsPerGroup : 1,
        post: postOf(node, operands, 3),
      };
    },
  };
}

/** A vector operand becomes a matrix of one row or column; batch axes are broadcast. */
export function matMulJob(node: Node, views: readonly (View | undefined)[], result: View): TileJob {
  const [left, right] = [required(views[0], "a"), required(views[1], "b")];
  const leftShape = left.shape.length === 1 ? [1, ...left.shape] : left.shape;
  const weights = jobWeights(node, views, 1, (view) => view);
  const paired = pairedOf(node);
  const rightShape =
    paired !== undefined
      ? pairedShape(right.shape, paired)
      : weights.shape.length === 1
        ? [...weights.shape, 1]
        : weights.shape;
  const depth = leftShape[leftShape.length - 1];
  const columns = rightShape[rightShape.length - 1];
  const rows = leftShape[leftShape.length - 2];
  const rank = Math.max(leftShape.length, rightShape.length);
  const batch = result.shape.slice(
    0,
    result.shape.length - (left.shape.length > 1 ? 1 : 0) - (weights.shape.length > 1 ? 1 : 0),
  );
  const a = broadcastView(required(reshapeView(left, leftShape), "a"), [...batch, rows, depth]);
  const isPacked = weights.shape !== right.shape;
  const stored = paired === undefined ? [depth, columns] : right.shape.slice(-2);
  const seen = paired === undefined ? rightShape : right.shape;
  const b = isPacked ? right : broadcastView(required(reshapeView(right, seen), "b"), [...batch, ...stored]);
  const y = required(reshapeView(result, [...batch, rows, columns]), "y");
  const post = postViews(views, 3);
  const batchCuts = batch.map((_, axis) => ({ axis: batch.length - 1 - axis, quantum: 1 }));
  const cuts = [
    { axis: rank - 2, quantum: 1 },
    { axis: rank - 1, quantum: paired === "columns" ? 2 : 1 },
  ];
  const whole = (view: View, box: Box, last: readonly [number, number][]): Box => ({
    // A batch axis of stride 0 is one and the same matrix: it is staged once.
    start: [
      ...box.start.slice(0, rank - 2).map((at, axis) => (view.strides[axis] === 0 ? 0 : at)),
      ...last.map(([at]) => at),
    ],
    size: [
      ...box.size.slice(0, rank - 2).map((size, axis) => (view.strides[axis] === 0 ? 1 : size)),
      ...last.map(([, size]) => size),
    ],
  });
  return {
    kind: "tile",
    engine: "array",
    name: nameOf(node),
    origin: node.origin,
    inputs: [a, b, views[2], ...post, weights.multipliers],
    output: y,
    // A matrix b for every part of the batch: there is no better cut than between them.
    cuts: b.strides.slice(0, -2).some((stride) => stride !== 0)
      ? [cuts[0], ...batchCuts, cuts[1]]
      : [...cuts, ...batchCuts],
    needs(box) {
      const [row, column] = [box.start[rank - 2], box.start[rank - 1]];
      const [rowCount, columnCount] = [box.size[rank - 2], box.size[rank - 1]];
      const plain = (): Box => {
        const matrix = whole(b, box, [
          [0, depth],
          [column, columnCount],
        ]);
        return paired === undefined ? matrix : pairedBox(matrix, paired);
      };
      const own = weights.boxes(column, columnCount, plain);
      return [
        whole(a, box, [
          [row, rowCount],
          [0, depth],
        ]),
        own.weights,
        channelBox(views[2], column, columnCount),
        ...postBoxes(post, column, columnCount),
        own.multipliers,
      ];
    },
    command(box, operands, output) {
      const bias = operands[2];
      const spread = <T extends WeightOperand>(given: T): T => {
        const shape = [...box.size.slice(0, rank - 2), ...given.shape.slice(-2)];
        const missing = rank - given.shape.length;
        const strides = shape.map((size, axis) =>
          axis < missing || (given.shape[axis - missing] === 1 && size !== 1) ? 0 : given.strides[axis - missing],
        );
        return { ...given, shape, strides };
      };
      const given = required(operands[1], "b");
      const own =
        paired === undefined
          ? weights.operands(given, operands[MULTIPLIERS])
          : { weights: pairedOperand(given, paired) };
      return {
        kind: "matmul",
        engine: "array",
        a: spread(required(operands[0], "a")),
        b: spread(own.weights),
        ...("multipliers" in own && own.multipliers && { multipliers: own.multipliers }),
        ...(bias === undefined ? {} : { bias }),
        y: output,
        aZero: intAttr(node, "a_zero", 0),
        bZero: intAttr(node, "b_zero", 0),
        normalise: intAttr(node, "normalise", 0) === 1,
        post: postOf(node, operands, 3),
      };
    },
  };
}
