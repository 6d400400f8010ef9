import { rebuild } from "../../src/ir/build.ts";
import { type Recurrence, unrollRecurrent } from "../../src/ops/lowering/recurrent.ts";
import type { Pass } from "../../src/pass.ts";
import { wantInt16 } from "../../src/quant/wishes.ts";

/** `h' = f(Wx + Rh + b)`: a sum of two products, in 16 bits, and a function. */
const kind: Recurrence = {
  gates: 1,
  activations: ["Tanh"],
  states: 1,
  step({ build, activations, past, keepWide }, [own], [h]) {
    const sum = build.node("Add", [own, past(0, h)]);
    keepWide(sum);
    return [build.node(activations[0], [sum])];
  },
};

const pass: Pass = {
  summary: "Unrolls an RNN of fixed length into products and sums.",
  run(graph) {
    const wide: string[] = [];
    const unrolled = rebuild(graph, (node, build) => {
      const wishes = node.op === "RNN" && node.domain === "" ? unrollRecurrent(graph, node, kind, build) : undefined;
      wide.push(...(wishes ?? []));
      return wishes !== undefined;
    });
    return unrolled === graph ? graph : wantInt16(unrolled, wide);
  },
};

export default pass;
