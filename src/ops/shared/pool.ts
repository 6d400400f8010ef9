/** Pooling operators: one number from each window of each channel plane, [n, c, …] → [n, c, …]. */
import { type DType, elementCount, intsAttr, type Node } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { FLOATS, makeType, reject, requireRank, typeAt } from "./types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./values.ts";
import { forEachWindow, type Window, windowDims, windowOf } from "./window.ts";

/** From the numbers of a window that lie inside the input to the result. `places`: window positions inside the padded input. */
export type PoolRule = (values: readonly number[], places: number) => number;

export function poolKernel(node: Node): number[] {
  const kernel = intsAttr(node, "kernel_shape");
  if (kernel === undefined || kernel.length === 0 || kernel.some((size) => size < 1)) {
    reject(node, `kernel_shape [${kernel ?? ""}] is not a list of positive sizes`);
  }
  return kernel;
}

/** An operator with a `kernel_shape`; the rule is made once a node from its attributes. */
export function pool(rule: (node: Node) => PoolRule, dtypes: readonly DType[] = FLOATS): Op {
  return {
    infer(node, inputs) {
      const type = typeAt(node, inputs, 0, dtypes);
      requireRank(node, type, 0, 3);
      if (type.shape === undefined) return [type];
      return [
        makeType(type.dtype, [...type.shape.slice(0, 2), ...windowDims(node, type.shape.slice(2), poolKernel(node))]),
      ];
    },
    evaluate(node, inputs) {
      const tensor = tensorAt(node, inputs, 0);
      const sizes = tensor.shape.slice(2);
      const window = windowOf(node, sizes, poolKernel(node));
      const planes = tensor.shape[0] * tensor.shape[1];
      const [plane, outputPlane] = [elementCount(sizes), elementCount(window.output)];
      const source = doublesOf(tensor);
      const values = new Float64Array(planes * outputPlane);
      const compute = rule(node);
      forEachWindow(sizes, window, (position, taps, start) => {
        const inside = taps.filter((tap) => tap >= 0);
        const places = paddedPlaces(sizes, window, start);
        const held = new Array<number>(inside.length);
        for (let at = 0; at < planes; at++) {
          for (let tap = 0; tap < inside.length; tap++) held[tap] = source[at * plane + inside[tap]];
          values[at * outputPlane + position] = compute(held, places);
        }
      });
      return [fromDoubles(tensor.dtype, [...tensor.shape.slice(0, 2), ...window.output], values)];
    },
  };
}

/** Window positions inside the input and its padding: ceil_mode lets a last window hang over, and what hangs over is nothing. */
function paddedPlaces(sizes: readonly number[], window: Window, start: readonly number[]): number {
  return sizes.reduce((product, size, axis) => {
    const room = size + window.end[axis] - start[axis];
    return product * Math.min(window.kernel[axis], Math.ceil(room / window.dilations[axis]));
  }, 1);
}

/** An operator that takes one number from each whole channel plane: [n, c, …] → [n, c, 1, …]. */
export function globalPool(rule: (node: Node) => (values: readonly number[]) => number): Op {
  return {
    infer(node, inputs) {
      const type = typeAt(node, inputs, 0, FLOATS);
      requireRank(node, type, 0, 2);
      return [
        makeType(
          type.dtype,
          type.shape?.map((dim, axis) => (axis < 2 ? dim : 1)),
        ),
      ];
    },
    evaluate(node, inputs) {
      const tensor = tensorAt(node, inputs, 0);
      const source = Array.from(doublesOf(tensor));
      const compute = rule(node);
      const plane = elementCount(tensor.shape.slice(2));
      const planes = tensor.shape[0] * tensor.shape[1];
      const values = Array.from({ length: planes }, (_, at) => compute(source.slice(at * plane, (at + 1) * plane)));
      return [
        fromDoubles(
          tensor.dtype,
          tensor.shape.map((size, axis) => (axis < 2 ? size : 1)),
          values,
        ),
      ];
    },
  };
}

/** p-norm of a list. */
export function norm(values: readonly number[], p: number): number {
  return values.reduce((sum, value) => sum + Math.abs(value) ** p, 0) ** (1 / p);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
