import { intAttr } from "../ir/graph.ts";
import { gruGradient } from "./gradient/gated.ts";
import type { Op } from "./op.ts";
import {
  evaluateRecurrent,
  gateSums,
  inferRecurrent,
  type Recurrent,
  recurrentMacs,
  rowProduct,
} from "./shared/recurrent.ts";

/**
 * Gated recurrent unit. Gates lie in the order update z, reset r, hidden: `H' = (1 − z)⊙h + z⊙H`, with
 * `h = g(W·x + b_W + R·(r⊙H) + b_R)`, or `g(W·x + b_W + r⊙(R·H + b_R))` with linear_before_reset.
 */
const kind: Recurrent = {
  gates: 3,
  activations: ["Sigmoid", "Tanh"],
  states: 1,
  step(node) {
    const linear = intAttr(node, "linear_before_reset", 0) !== 0;
    return (cell, input, [hidden]) => {
      const [f, g] = cell.activations;
      const update = gateSums(cell, 0, 3, input, hidden).map((sum) => f(cell.clip(sum)));
      const reset = gateSums(cell, 1, 3, input, hidden).map((sum) => f(cell.clip(sum)));
      const gated = hidden.map((value, unit) => value * reset[unit]);
      const next = hidden.map((held, unit) => {
        const row = 2 * cell.hidden + unit;
        const own = rowProduct(cell.weights, row, input) + cell.biases[row];
        const bias = cell.biases[3 * cell.hidden + row];
        const past = linear
          ? reset[unit] * (rowProduct(cell.recurrence, row, hidden) + bias)
          : rowProduct(cell.recurrence, row, gated) + bias;
        return (1 - update[unit]) * g(cell.clip(own + past)) + update[unit] * held;
      });
      return [next];
    };
  },
};

const op: Op = {
  gradient: gruGradient,
  hostOnly: "it is unrolled for constant weights and at most 128 steps of one length, without clipping",
  infer: (node, inputs) => inferRecurrent(kind, node, inputs),
  evaluate: (node, inputs) => evaluateRecurrent(kind, node, inputs),
  macs: (_, inputs) => recurrentMacs(inputs),
};

export default op;
