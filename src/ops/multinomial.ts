import { intAttr, type Node } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { softmax } from "./shared/along.ts";
import { dtypeOfCode } from "./shared/cast.ts";
import { FLOATS, INDICES, makeType, reject, requireRank, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

function targetOf(node: Node) {
  const code = intAttr(node, "dtype", 6);
  const dtype = dtypeOfCode(code);
  return dtype && INDICES.includes(dtype) ? dtype : reject(node, `the data type ${dtype ?? code} is no index's`);
}

/** `sample_size` classes a row, drawn with the probabilities whose unnormalised logarithms the row holds. */
const op: Op = {
  deterministic: false,
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, type, 0, 2, 2);
    return [makeType(targetOf(node), [type.shape?.[0] ?? "?", intAttr(node, "sample_size", 1)])];
  },
  evaluate(node, inputs, { random }) {
    const logs = tensorAt(node, inputs, 0);
    const [rows, classes] = logs.shape;
    const samples = intAttr(node, "sample_size", 1);
    const values = Array.from(doublesOf(logs));
    const drawn: number[] = [];
    for (let row = 0; row < rows; row++) {
      const chances = softmax(values.slice(row * classes, (row + 1) * classes));
      for (let sample = 0; sample < samples; sample++) {
        let left = random();
        let chosen = 0;
        while (chosen < classes - 1 && left >= chances[chosen]) left -= chances[chosen++];
        drawn.push(chosen);
      }
    }
    return [fromDoubles(targetOf(node), [rows, samples], drawn)];
  },
};

export default op;
