import type { Graph, Node } from "../../src/ir/graph.ts";
import { typeOf } from "../../src/ir/graph.ts";
import { findOp } from "../../src/ops/find.ts";
import type { Pass } from "../../src/pass.ts";
import { cachesOf } from "../../src/quant/caches.ts";
import { int16Wishes, wantInt16 } from "../../src/quant/wishes.ts";

/** Operators of the array: a 16-bit operand costs them a second pass, a 16-bit result nothing. */
const ARRAY = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);
/** What hands 16 bits on besides functions of one variable and moves. */
const HANDS_ON = new Set(["Add", "Sub", "Mul", "Div", "Max", "Min", "Concat"]);

/**
 * A state is summed into at every step, so what rounding does to the sum stays (not so a cache, whose rows are only replaced). The element-wise operators that make the next
 * state work in 16 bits, back to the products that the gates come from: a recurrent cell that was written out gets what LSTM gets.
 */
const pass: Pass = {
  summary: "Asks for 16 bits for what a state is made of, back to the last products.",
  run(graph) {
    const known = new Set(int16Wishes(graph));
    const names = stateParts(graph).filter((name) => !known.has(name));
    return names.length === 0 ? graph : wantInt16(graph, names);
  },
};

export default pass;

function stateParts(graph: Graph): string[] {
  const makers = new Map<string, Node>();
  const fed = new Set<string>();
  for (const node of graph.nodes) {
    for (const name of node.outputs) if (name !== "") makers.set(name, node);
    if (ARRAY.has(node.op)) for (const name of node.inputs) fed.add(name);
  }
  const found = new Set<string>();
  const caches = new Set(cachesOf(graph).map(({ state }) => state));
  const pending = graph.states.filter((state) => !caches.has(state)).map((state) => state.output);
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const maker = makers.get(name);
    if (found.has(name) || !maker || typeOf(graph, name)?.dtype !== "float32") continue;
    found.add(name);
    const op = findOp(maker.domain, maker.op);
    const passes = HANDS_ON.has(maker.op) || op?.passesThrough === true || op?.riding !== undefined;
    if (passes && !ARRAY.has(maker.op)) pending.push(...maker.inputs.filter((input) => input !== ""));
  }
  return [...found].filter((name) => !fed.has(name));
}
