import { intAttr } from "../ir/graph.ts";
import { lstmGradient } from "./gradient/recurrent.ts";
import type { Op } from "./op.ts";
import { evaluateRecurrent, gateSums, inferRecurrent, type Recurrent, recurrentMacs } from "./shared/recurrent.ts";

/**
 * Long short-term memory. Gates lie in the order input, output, forget, cell; P holds peepholes for input, output, forget:
 * `i = f(…+ Pi⊙C)`, `f = f(…+ Pf⊙C)` (1 − i with input_forget), `c = g(…)`, `C' = f⊙C + i⊙c`, `o = f(…+ Po⊙C')`, `H' = o⊙h(C')`.
 * `clip` bounds what f and g are given, not the cell that h is given: ONNX Runtime's reading.
 */
const kind: Recurrent = {
  gates: 4,
  activations: ["Sigmoid", "Tanh", "Tanh"],
  states: 2,
  step(node) {
    const coupled = intAttr(node, "input_forget", 0) === 1;
    return (cell, input, [hidden, memory]) => {
      const [f, g, h] = cell.activations;
      const peep = (which: number, unit: number): number => cell.peepholes?.[which * cell.hidden + unit] ?? 0;
      const [i, o, forget, candidate] = [0, 1, 2, 3].map((gate) => gateSums(cell, gate, 4, input, hidden));
      const next = memory.map((held, unit) => {
        const entering = f(cell.clip(i[unit] + peep(0, unit) * held));
        const kept = coupled ? 1 - entering : f(cell.clip(forget[unit] + peep(2, unit) * held));
        return kept * held + entering * g(cell.clip(candidate[unit]));
      });
      const output = next.map((held, unit) => f(cell.clip(o[unit] + peep(1, unit) * held)) * h(held));
      return [output, next];
    };
  },
};

const op: Op = {
  gradient: lstmGradient,
  hostOnly:
    "it is unrolled for constant weights and at most 128 steps of one length, without peepholes, clipping or coupled gates",
  infer: (node, inputs) => inferRecurrent(kind, node, inputs),
  evaluate: (node, inputs) => evaluateRecurrent(kind, node, inputs),
  macs: (_, inputs) => recurrentMacs(inputs),
};

export default op;
