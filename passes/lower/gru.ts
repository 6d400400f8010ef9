import { rebuild } from "../../src/ir/build.ts";
import { intAttr } from "../../src/ir/graph.ts";
import { type Recurrence, unrollRecurrent } from "../../src/ops/lowering/recurrent.ts";
import type { Pass } from "../../src/pass.ts";
import { wantInt16 } from "../../src/quant/wishes.ts";

/** Gates in ONNX's order: update, reset, candidate. */
const CANDIDATE = 2;

/**
 * `z, r = σ(Wx + Rh + b)`, `n = tanh(Wx + R(r⊙h) + b)` or, with linear_before_reset, `n = tanh(Wx + b_W + r⊙(Rh + b_R))`;
 * `h' = (1 − z)⊙n + z⊙h = n + z⊙(h − n)`. The state is summed into at every step: it and its parts are kept in 16 bits.
 */
const kind: Recurrence = {
  gates: 3,
  activations: ["Sigmoid", "Tanh"],
  states: 1,
  apart: (node) => (intAttr(node, "linear_before_reset", 0) !== 0 ? [CANDIDATE] : []),
  step({ build, activations, past, keepWide }, own, [h], node) {
    const [f, g] = activations;
    const gate = (index: number): string => {
      const sum = build.node("Add", [own[index], past(index, h)]);
      const opened = build.node(f, [sum]);
      keepWide(sum, opened);
      return opened;
    };
    const [update, reset] = [gate(0), gate(1)];
    const linear = intAttr(node, "linear_before_reset", 0) !== 0;
    const gated = linear
      ? build.node("Mul", [reset, past(CANDIDATE, h)])
      : past(CANDIDATE, build.node("Mul", [reset, h]));
    const sum = build.node("Add", [own[CANDIDATE], gated]);
    const candidate = build.node(g, [sum]);
    const change = build.node("Sub", [h, candidate]);
    const kept = build.node("Mul", [update, change]);
    keepWide(gated, sum, candidate, change, kept);
    return [build.node("Add", [candidate, kept])];
  },
};

const pass: Pass = {
  summary: "Unrolls a GRU of fixed length into products, sigmoids and sums, with 16-bit gates and states.",
  run(graph) {
    const wide: string[] = [];
    const unrolled = rebuild(graph, (node, build) => {
      const wishes = node.op === "GRU" && node.domain === "" ? unrollRecurrent(graph, node, kind, build) : undefined;
      wide.push(...(wishes ?? []));
      return wishes !== undefined;
    });
    return unrolled === graph ? graph : wantInt16(unrolled, wide);
  },
};

export default pass;
