import {
  elementCount,
  type Graph,
  graphAttr,
  isStatic,
  logical,
  type Node,
  type RuntimeValue,
  type Tensor,
  type Type,
} from "../ir/graph.ts";
import { int64, scalar } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { stack } from "./shared/concat.ts";
import { makeType, reject } from "./shared/types.ts";
import { fromElements, optionalTensorAt, room, scalarOf } from "./shared/values.ts";

/** A model that still loops after so many rounds is taken to loop for ever. */
const MOST_ROUNDS = 10_000_000;

function bodyOf(node: Node): { body: Graph; carried: number } {
  const body = graphAttr(node, "body") ?? reject(node, "the body is missing");
  const carried = node.inputs.length - 2;
  if (carried < 0 || body.inputs.length !== carried + 2 || body.outputs.length < carried + 1) {
    reject(
      node,
      `a body of ${body.inputs.length} inputs and ${body.outputs.length} outputs does not fit ${carried} carried values`,
    );
  }
  return { body, carried };
}

/** What stays true of a carried value over all rounds: dimensions that a round changes are not known. */
function lasting(before: Type, after: Type): Type {
  const { container } = before;
  const same = before.shape && after.shape && before.shape.length === after.shape.length;
  const shape = same ? before.shape?.map((dim, axis) => (dim === after.shape?.[axis] ? dim : "?")) : undefined;
  return container === undefined ? makeType(before.dtype, shape) : { ...makeType(before.dtype, shape), container };
}

function filled(carried: Type, result: Type): Type {
  return result.container === undefined ? carried : { ...carried, container: result.container };
}

function sameShape(a: Type, b: Type): boolean {
  return a.shape === b.shape || (a.shape !== undefined && b.shape !== undefined && `${a.shape}` === `${b.shape}`);
}

/**
 * Runs the body while the round number is below input 0 (if given) and the condition holds (if given). The body takes the
 * round, the condition and the carried values, and gives the condition, the carried values and one slice of each scan output.
 */
const op: Op = {
  hostOnly:
    "how often it runs is decided at run time, or it is more than 64 times; the chip runs a program from end to end",
  infer(node, inputs, context) {
    const { body, carried } = bodyOf(node);
    const control = [makeType("int64", []), makeType("bool", [])];
    let types = inputs
      .slice(2)
      .map((type, index) => logical(type ?? reject(node, `the type of input ${index + 2} is not known`)));
    for (;;) {
      const found = context.subgraph(body, [...control, ...types]).map(logical);
      types.forEach((type, index) => {
        const after = found[index + 1].dtype;
        if (after !== type.dtype)
          reject(node, `input ${index + 2} goes into a round as ${type.dtype} and comes out as ${after}`);
      });
      const next = types.map((type, index) => lasting(type, found[index + 1]));
      if (next.every((type, index) => sameShape(type, types[index]))) {
        // An optional that the body fills comes out full.
        const results = next.map((type, index) => filled(type, found[index + 1]));
        const scans = found.slice(carried + 1).map((type) => makeType(type.dtype, type.shape && ["?", ...type.shape]));
        return [...results, ...scans];
      }
      types = next;
    }
  },
  evaluate(node, inputs, context) {
    const { body, carried } = bodyOf(node);
    const [most, start] = [optionalTensorAt(node, inputs, 0), optionalTensorAt(node, inputs, 1)];
    const rounds = most ? scalarOf(node, most) : Number.POSITIVE_INFINITY;
    let going = start === undefined || scalarOf(node, start) !== 0;
    let values: readonly RuntimeValue[] = inputs.slice(2);
    const scans: Tensor[][] = body.outputs.slice(carried + 1).map(() => []);
    for (let round = 0; round < rounds && going; round++) {
      if (round === MOST_ROUNDS) reject(node, `the loop has not ended after ${MOST_ROUNDS} rounds`);
      const results = context.subgraph(body, [int64([], [round]), scalar("bool", going ? 1 : 0), ...values]);
      const condition = results[0] as Tensor;
      // Without a condition input the body's condition still ends the loop: ONNX feeds it back as the next round's.
      going = scalarOf(node, condition) !== 0;
      values = results.slice(1, carried + 1);
      results.slice(carried + 1).forEach((slice, index) => {
        scans[index].push(slice as Tensor);
      });
    }
    const stacked = scans.map((slices, index) => {
      if (slices.length > 0) return stack(node, slices, 0);
      const type = body.types.get(body.outputs[carried + 1 + index]);
      const shape = [0, ...(isStatic(type?.shape) ? type.shape : [])];
      return fromElements(type?.dtype ?? "float32", shape, room(type?.dtype ?? "float32", elementCount(shape)));
    });
    return [...values, ...stacked];
  },
};

export default op;
