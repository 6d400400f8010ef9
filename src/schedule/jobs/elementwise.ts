/** Element by element on the vector unit: sums, products, largest and smallest, rescaling, tables. */
import { intAttr, type Node } from "../../ir/graph.ts";
import { allOf, type Cut, nameOf, postOf, postViews, required, type TileJob } from "../job.ts";
import type { EltwiseCommand, Operand } from "../program.ts";
import { type Box, broadcastView, type View } from "../view.ts";

/** Any axis may be cut; the first long ones keep pieces contiguous. */
export function anyCuts(shape: readonly number[]): Cut[] {
  return shape.map((_, axis) => ({ axis, quantum: 1 }));
}

/** The box of a broadcast operand: axes that repeat are staged once. */
function boxOf(view: View, box: Box): Box {
  return {
    start: box.start.map((at, axis) => (view.strides[axis] === 0 ? 0 : at)),
    size: box.size.map((size, axis) => (view.strides[axis] === 0 ? 1 : size)),
  };
}

/** Repeats a staged operand along the axes that its view repeats. */
function spread(operand: Operand | undefined, box: Box): Operand {
  const given = required(operand, "operand");
  const strides = given.strides.map((stride, axis) => (given.shape[axis] === 1 && box.size[axis] !== 1 ? 0 : stride));
  return { ...given, shape: box.size, strides };
}

const OPERATIONS: ReadonlyMap<string, EltwiseCommand["operation"]> = new Map([
  ["Add", "add"],
  ["Mul", "mul"],
  ["Max", "max"],
  ["Min", "min"],
]);

export function eltwiseJob(node: Node, views: readonly (View | undefined)[], output: View): TileJob {
  const a = broadcastView(required(views[0], "a"), output.shape);
  const b = broadcastView(required(views[1], "b"), output.shape);
  const operation = required(OPERATIONS.get(node.op), node.op);
  const stores = operation === "add" || operation === "mul";
  const post = postViews(views, 2);
  return {
    kind: "tile",
    engine: "vector",
    name: nameOf(node),
    origin: node.origin,
    inputs: stores ? [a, b, ...post] : [a, b],
    output,
    cuts: anyCuts(output.shape),
    needs: (box) => [boxOf(a, box), boxOf(b, box), ...(stores ? post.map(allOf) : [])],
    command: (box, operands, y) => ({
      kind: "eltwise",
      engine: "vector",
      operation,
      a: spread(operands[0], box),
      b: spread(operands[1], box),
      y,
      aZero: stores ? intAttr(node, "a_zero", 0) : 0,
      bZero: stores ? intAttr(node, "b_zero", 0) : 0,
      aMultiplier: operation === "add" ? intAttr(node, "a_multiplier", 1) : 1,
      bMultiplier: operation === "add" ? intAttr(node, "b_multiplier", 1) : 1,
      ...(stores ? { post: postOf(node, operands, 2) } : {}),
    }),
  };
}

export function scaleJob(node: Node, views: readonly (View | undefined)[], output: View): TileJob {
  const x = required(views[0], "x");
  const post = postViews(views, 1);
  return {
    kind: "tile",
    engine: "vector",
    name: nameOf(node),
    origin: node.origin,
    inputs: [x, ...post],
    output,
    cuts: anyCuts(output.shape),
    needs: (box) => [box, ...post.map(allOf)],
    command: (_, operands, y) => ({
      kind: "scale",
      engine: "vector",
      x: required(operands[0], "x"),
      y,
      xZero: intAttr(node, "x_zero", 0),
      post: postOf(node, operands, 1),
    }),
  };
}

export function tableJob(node: Node, views: readonly (View | undefined)[], output: View): TileJob {
  const x = required(views[0], "x");
  return {
    kind: "tile",
    engine: "vector",
    name: nameOf(node),
    origin: node.origin,
    inputs: [x, views[1]],
    output,
    cuts: anyCuts(output.shape),
    needs: (box) => [box, allOf(views[1])],
    command: (_, operands, y) => ({
      kind: "table",
      engine: "vector",
      x: required(operands[0], "x"),
      table: required(operands[1], "table"),
      y,
    }),
  };
}
