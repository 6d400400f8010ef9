import { rnnGradient } from "./gradient/gated.ts";
import type { Op } from "./op.ts";
import { evaluateRecurrent, gateSums, inferRecurrent, type Recurrent, recurrentMacs } from "./shared/recurrent.ts";

/** The plain recurrent network: `H' = f(W·x + b_W + R·H + b_R)`. */
const kind: Recurrent = {
  gates: 1,
  activations: ["Tanh"],
  states: 1,
  step:
    () =>
    (cell, input, [hidden]) => [gateSums(cell, 0, 1, input, hidden).map((sum) => cell.activations[0](cell.clip(sum)))],
};

const op: Op = {
  gradient: rnnGradient,
  hostOnly: "it is unrolled for constant weights and at most 128 steps of one length, without clipping",
  infer: (node, inputs) => inferRecurrent(kind, node, inputs),
  evaluate: (node, inputs) => evaluateRecurrent(kind, node, inputs),
  macs: (_, inputs) => recurrentMacs(inputs),
};

export default op;
