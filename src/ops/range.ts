import type { Node } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { INTEGERS, makeType, reject, requireSameDType, typeAt } from "./shared/types.ts";
import { type Element, elementsOf, fromElements, room, tensorAt } from "./shared/values.ts";

const LIMIT = 2 ** 31;

/** ⌈(limit − start) / delta⌉, but not below 0. */
function countOf(node: Node, start: Element, limit: Element, delta: Element): number {
  if (Number(delta) === 0) reject(node, "delta is 0");
  const span = typeof start === "bigint" ? Number((limit as bigint) - start) : Number(limit) - Number(start);
  const count = Math.max(0, Math.ceil(span / Number(delta)));
  return count < LIMIT ? count : reject(node, `a range of ${count} elements is too long`);
}

/** `start, start + delta, …` up to but without `limit`. */
const op: Op = {
  infer(node, inputs, context) {
    const { dtype } = typeAt(node, inputs, 0, ["float32", "float64", "float16", "bfloat16", ...INTEGERS]);
    requireSameDType(node, inputs, 0, 1);
    requireSameDType(node, inputs, 0, 2);
    const constants = [0, 1, 2].map((index) => context.constant(index));
    const readable = !["float16", "bfloat16"].includes(dtype);
    const [start, limit, delta] = constants.map((tensor) => readable && tensor && elementsOf(tensor)[0]);
    const known = start !== undefined && limit !== undefined && delta !== undefined && readable;
    return [makeType(dtype, [known ? countOf(node, start as Element, limit as Element, delta as Element) : "?"])];
  },
  evaluate(node, inputs) {
    const tensors = [0, 1, 2].map((index) => tensorAt(node, inputs, index));
    const [start, limit, delta] = tensors.map((tensor) => elementsOf(tensor)[0]);
    const { dtype } = tensors[0];
    const target = room(dtype, countOf(node, start, limit, delta));
    for (let index = 0; index < target.length; index++) {
      target[index] =
        typeof start === "bigint" ? start + BigInt(index) * (delta as bigint) : Number(start) + index * Number(delta);
    }
    return [fromElements(dtype, [target.length], target)];
  },
};

export default op;
