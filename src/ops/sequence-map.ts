import { type Graph, graphAttr, type Node, type RuntimeValue, type Tensor, type Type } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { elementTypeAt, sequenceOf } from "./shared/sequence.ts";
import { reject } from "./shared/types.ts";
import { sequenceAt } from "./shared/values.ts";

function bodyOf(node: Node): Graph {
  return graphAttr(node, "body") ?? reject(node, "there is no body");
}

function isSequence(value: RuntimeValue): value is readonly Tensor[] {
  return Array.isArray(value);
}

/** Runs `body` for each tensor of input 0; further sequences go along with it, further tensors are the same each time. */
const op: Op = {
  infer(node, inputs, context) {
    elementTypeAt(node, inputs, 0);
    const arguments_ = inputs.map((type, index): Type => {
      if (type === undefined) return reject(node, `input ${index} is missing`);
      return type.container === "sequence" ? elementTypeAt(node, inputs, index) : type;
    });
    return context.subgraph(bodyOf(node), arguments_).map(sequenceOf);
  },
  evaluate(node, inputs, context) {
    const body = bodyOf(node);
    const results: Tensor[][] = node.outputs.map(() => []);
    const { length } = sequenceAt(node, inputs, 0);
    if (inputs.some((input) => isSequence(input) && input.length !== length))
      reject(node, "the sequences differ in length");
    for (let index = 0; index < length; index++) {
      const outputs = context.subgraph(
        body,
        inputs.map((input) => (isSequence(input) ? input[index] : input)),
      );
      results.forEach((list, output) => {
        list.push(outputs[output] as Tensor);
      });
    }
    return results;
  },
};

export default op;
