/** Operators that only move codes: each says where an element of the result comes from. */
import { elementCount, type Node } from "../../../ir/graph.ts";
import { stridesOf } from "../../../ir/tensor.ts";
import type { Op } from "../../op.ts";
import { forEachIndex } from "../index.ts";
import { codesAt, codeType, makeCodes } from "./codes.ts";

export interface Move {
  readonly shape: readonly number[];
  /** The source index of a result index; undefined where a constant stands instead. */
  readonly from: (index: readonly number[]) => readonly number[] | undefined;
  readonly constant?: number;
}

/** An operator of one input whose elements are moved; `rule` is asked once a node with the input's shape. */
export function moves(rule: (node: Node, shape: readonly number[]) => Move): Op {
  return {
    passesThrough: true,
    infer(node, inputs) {
      const { dtype, shape } = codeType(node, inputs, 0);
      return [{ dtype, shape: rule(node, shape).shape }];
    },
    evaluate(node, inputs) {
      const x = codesAt(node, inputs, 0);
      const { shape, from, constant = 0 } = rule(node, x.shape);
      const strides = stridesOf(x.shape);
      const codes = new Int32Array(elementCount(shape));
      forEachIndex(shape, (index, position) => {
        const source = from(index);
        codes[position] = source ? x.values[source.reduce((sum, at, axis) => sum + at * strides[axis], 0)] : constant;
      });
      return [makeCodes(x.dtype, shape, (at) => codes[at])];
    },
  };
}
