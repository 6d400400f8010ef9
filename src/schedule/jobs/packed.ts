/**
 * Weights of 4 bits as the array's unpacker reads them: a row of codes for each output channel, in the order of the reduction,
 * two codes a byte (the earlier one in the low bits), each row a whole number of bytes. So any channels are whole bytes.
 */
import { attrs, elementCount, intAttr, intsAttr, type Node } from "../../ir/graph.ts";
import { required } from "../job.ts";
import type { Multipliers, Operand, WeightOperand } from "../program.ts";
import type { Box, View } from "../view.ts";

/** Where the multipliers of packed weights stand among a linear node's inputs: behind the post stage. */
export const MULTIPLIERS = 8;

/** What packed weights are: the shape that the operator knows, and how many neighbours share a multiplier. */
interface Packed {
  readonly shape: readonly number[];
  readonly block: number;
}

/** The node reading packed weights; it gets its multipliers as a last input. */
export function withPacked(node: Node, weights: string, multipliers: string, { shape, block }: Packed): Node {
  const inputs = Array.from({ length: MULTIPLIERS }, (_, at) => (at === 1 ? weights : (node.inputs[at] ?? "")));
  const extra = attrs({ packed_shape: { ints: shape }, packed_block: { i: block } });
  return { ...node, inputs: [...inputs, multipliers], attrs: new Map([...node.attrs, ...extra]) };
}

/** Undefined where a node's weights lie as they are. */
function packedOf(node: Node): Packed | undefined {
  const shape = intsAttr(node, "packed_shape");
  return shape && { shape, block: intAttr(node, "packed_block", 1) };
}

/** The weights of a linear job, whatever their form. */
export interface JobWeights {
  /** The shape that the operator knows. */
  readonly shape: readonly number[];
  readonly view: View;
  readonly multipliers: View | undefined;
  /** The part of both that output channels [start, start + size) read; `otherwise`: of weights that are not packed. */
  boxes(
    start: number,
    size: number,
    otherwise: () => Box,
  ): { readonly weights: Box; readonly multipliers: Box | undefined };
  /** The command's operands, from those of the boxes. */
  operands(weights: Operand, multipliers: Operand | undefined): { weights: WeightOperand; multipliers?: Multipliers };
}

/** `axis`: that of the output channels in the weights. `seen`: how weights that are not packed are looked at. */
export function jobWeights(
  node: Node,
  views: readonly (View | undefined)[],
  axis: number,
  seen: (view: View) => View,
): JobWeights {
  const packed = packedOf(node);
  const view = required(views[1], "weights");
  if (packed === undefined) {
    const plain = seen(view);
    return {
      shape: plain.shape,
      view: plain,
      multipliers: undefined,
      boxes: (_start, _size, otherwise) => ({ weights: otherwise(), multipliers: undefined }),
      operands: (weights) => ({ weights }),
    };
  }
  const multipliers = views[MULTIPLIERS];
  const { block } = packed;
  const shape = packed.shape.length === 3 ? [...packed.shape.slice(0, 2), 1, packed.shape[2]] : packed.shape;
  const rows = ({ shape: [, length] }: View, start: number, size: number): Box => ({
    start: [start, 0],
    size: [size, length],
  });
  return {
    shape,
    view,
    multipliers,
    boxes: (start, size) => ({
      weights: rows(view, start, size),
      multipliers: multipliers && rows(multipliers, start, size),
    }),
    operands: (weights, values) => ({
      weights: codesOperand(weights, shape, axis),
      ...(values && { multipliers: { values, block } }),
    }),
  };
}

/** Rows of bytes as codes of the weights' own shape. */
function codesOperand(rows: Operand, whole: readonly number[], axis: number): WeightOperand {
  const shape = whole.map((size, at) => (at === axis ? rows.shape[0] : size));
  const strides = shape.map((_, at) =>
    at === axis ? 2 * rows.strides[0] : elementCount(shape.filter((_, other) => other > at && other !== axis)),
  );
  return { ...rows, dtype: "int4", shape, strides };
}
