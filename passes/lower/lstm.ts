import { rebuild } from "../../src/ir/build.ts";
import { type Recurrence, unrollRecurrent } from "../../src/ops/lowering/recurrent.ts";
import type { Pass } from "../../src/pass.ts";
import { wantInt16 } from "../../src/quant/wishes.ts";

/** Gates in ONNX's order: input, output, forget, candidate. */
const CANDIDATE = 3;

/**
 * `i, o, f = σ(Wx + Rh + b)`, `c' = f⊙c + i⊙tanh(Wx + Rh + b)`, `h' = o⊙tanh(c')` (ONNX LSTM), said with inner products
 * and element-wise operators. Wx of all steps is one product a gate; gates and cells are summed in 16 bits.
 */
const kind: Recurrence = {
  gates: 4,
  activations: ["Sigmoid", "Tanh", "Tanh"],
  states: 2,
  step({ build, activations, past, keepWide }, own, [h, c]) {
    const [f, g, show] = activations;
    const [input, output, forget, candidate] = own.map((entering, gate) => {
      const sum = build.node("Add", [entering, past(gate, h)]);
      const opened = build.node(gate === CANDIDATE ? g : f, [sum]);
      keepWide(sum, opened);
      return opened;
    });
    const kept = build.node("Mul", [forget, c]);
    const added = build.node("Mul", [input, candidate]);
    const cell = build.node("Add", [kept, added]);
    const shown = build.node(show, [cell]);
    keepWide(kept, added, cell, shown);
    return [build.node("Mul", [output, shown]), cell];
  },
};

const pass: Pass = {
  summary: "Unrolls an LSTM of fixed length into products, sigmoids and sums, with 16-bit gates and cells.",
  run(graph) {
    const wide: string[] = [];
    const unrolled = rebuild(graph, (node, build) => {
      const wishes = node.op === "LSTM" && node.domain === "" ? unrollRecurrent(graph, node, kind, build) : undefined;
      wide.push(...(wishes ?? []));
      return wishes !== undefined;
    });
    return unrolled === graph ? graph : wantInt16(unrolled, wide);
  },
};

export default pass;
