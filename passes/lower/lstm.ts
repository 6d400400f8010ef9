import { type Builder, rebuild } from "../../src/ir/build.ts";
import { type Graph, intAttr, isStatic, type Node, stringAttr, type Tensor, typeOf } from "../../src/ir/graph.ts";
import { float32, valuesOf } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";
import { wantInt16 } from "../../src/quant/wishes.ts";

/** Steps that are unrolled at most: a longer sequence wants a program that loops, and stays for the CPU. */
const STEPS = 64;

/** Gates in ONNX's order. */
const GATES = ["input", "output", "forget", "cell"] as const;

interface Shape {
  readonly steps: number;
  readonly batch: number;
  readonly features: number;
  readonly hidden: number;
  readonly directions: number;
}

/**
 * `i, o, f = σ(Wx + Rh + b)`, `c' = f⊙c + i⊙tanh(Wx + Rh + b)`, `h' = o⊙tanh(c')` (ONNX LSTM), said with inner products
 * and element-wise operators. Wx of all steps is one product a gate; gates and cells are summed in 16 bits.
 */
const pass: Pass = {
  summary: "Unrolls an LSTM of fixed length into products, sigmoids and sums, with 16-bit gates and cells.",
  run(graph) {
    const wide: string[] = [];
    const unrolled = rebuild(graph, (node, build) => {
      const shape = node.op === "LSTM" && node.domain === "" ? shapeOf(graph, node) : undefined;
      if (!shape) return false;
      unroll(graph, node, shape, build, wide);
      return true;
    });
    return unrolled === graph ? graph : wantInt16(unrolled, wide);
  },
};

export default pass;

/** Undefined where the node uses what this lowering does not say: peepholes, clipping, lengths, other activations. */
function shapeOf(graph: Graph, node: Node): Shape | undefined {
  const x = typeOf(graph, node.inputs[0])?.shape;
  const [w, r] = [graph.constants.get(node.inputs[1]), graph.constants.get(node.inputs[2])];
  if (!isStatic(x) || x[0] > STEPS || !w || !r || w.quant || r.quant || w.dtype !== "float32") return undefined;
  if (node.inputs[3] && !graph.constants.has(node.inputs[3])) return undefined;
  if (node.inputs[4] || node.inputs[7] || node.attrs.has("clip")) return undefined;
  if (intAttr(node, "layout", 0) !== 0 || intAttr(node, "input_forget", 0) !== 0) return undefined;
  const activations = node.attrs.get("activations");
  const names = activations && "strings" in activations ? activations.strings : [];
  const usual = ["Sigmoid", "Tanh", "Tanh"];
  if (names.some((name, index) => name !== usual[index % 3])) return undefined;
  return { steps: x[0], batch: x[1], features: x[2], hidden: r.shape[2], directions: w.shape[0] };
}

function unroll(graph: Graph, node: Node, shape: Shape, build: Builder, wide: string[]): void {
  const { steps, batch, features, hidden, directions } = shape;
  const rows = build.reshape(node.inputs[0], [steps * batch, features]);
  const outputs: string[][] = [];
  const last: { h: string; c: string }[] = [];
  for (let direction = 0; direction < directions; direction++) {
    const cell = weightsOf(graph, node, shape, direction);
    const entering = GATES.map((_, gate) => {
      const product = build.node("Gemm", [rows, cell.w[gate], cell.b[gate]], { transB: { i: 1 } });
      wide.push(product);
      return product;
    });
    let h = initial(node, 5, direction, shape, build);
    let c = initial(node, 6, direction, shape, build);
    const backwards = stringAttr(node, "direction", "forward") === "reverse" || direction === 1;
    const hs = new Array<string>(steps);
    for (let count = 0; count < steps; count++) {
      const step = backwards ? steps - 1 - count : count;
      const gates = GATES.map((name, gate) => {
        const own = steps === 1 ? entering[gate] : build.slice(entering[gate], 0, step * batch, (step + 1) * batch);
        const past = build.node("Gemm", [h, cell.r[gate]], { transB: { i: 1 } });
        const sum = build.node("Add", [own, past]);
        const opened = build.node(name === "cell" ? "Tanh" : "Sigmoid", [sum]);
        wide.push(past, sum, opened);
        return opened;
      });
      const [i, o, f, candidate] = gates;
      const kept = build.node("Mul", [f, c]);
      const added = build.node("Mul", [i, candidate]);
      c = build.node("Add", [kept, added]);
      const shown = build.node("Tanh", [c]);
      h = build.node("Mul", [o, shown]);
      wide.push(kept, added, c, shown);
      hs[step] = h;
    }
    outputs.push(hs);
    last.push({ h, c });
  }
  finish(node, shape, outputs, last, build, hidden);
}

/** Y [steps, directions, batch, hidden], Y_h and Y_c [directions, batch, hidden]. */
function finish(
  node: Node,
  { steps, batch, directions }: Shape,
  outputs: readonly string[][],
  last: readonly { h: string; c: string }[],
  build: Builder,
  hidden: number,
): void {
  const [y, yh, yc] = node.outputs;
  if (y) {
    const parts: string[] = [];
    for (let step = 0; step < steps; step++) {
      for (let direction = 0; direction < directions; direction++) parts.push(outputs[direction][step]);
    }
    const all = parts.length === 1 ? parts[0] : build.node("Concat", parts, { axis: { i: 0 } });
    build.reshape(all, [steps, directions, batch, hidden], y);
  }
  for (const [name, key] of [
    [yh, "h"],
    [yc, "c"],
  ] as const) {
    if (!name) continue;
    const parts = last.map((end) => end[key]);
    const all = parts.length === 1 ? parts[0] : build.node("Concat", parts, { axis: { i: 0 } });
    build.reshape(all, [directions, batch, hidden], name);
  }
}

function initial(node: Node, index: number, direction: number, shape: Shape, build: Builder): string {
  const { batch, hidden, directions } = shape;
  const given = node.inputs[index];
  if (!given) return build.node("Identity", [float32([batch, hidden], new Float32Array(batch * hidden))]);
  const own = directions === 1 ? given : build.slice(given, 0, direction, direction + 1);
  return build.reshape(own, [batch, hidden]);
}

/** Weights, recurrences [hidden, …] and the sum of both biases [hidden], by gate. */
function weightsOf(graph: Graph, node: Node, { features, hidden }: Shape, direction: number) {
  const bias = node.inputs[3] ? (valuesOf(graph.constants.get(node.inputs[3]) as Tensor) as Float32Array) : undefined;
  const block = (index: number, columns: number, gate: number): Tensor => {
    const values = valuesOf(graph.constants.get(node.inputs[index]) as Tensor) as Float32Array;
    const start = (direction * 4 + gate) * hidden * columns;
    return float32([hidden, columns], values.subarray(start, start + hidden * columns));
  };
  const biasOf = (gate: number): Tensor => {
    const at = direction * 8 * hidden + gate * hidden;
    const sums = Float32Array.from({ length: hidden }, (_, unit) =>
      bias ? bias[at + unit] + bias[at + 4 * hidden + unit] : 0,
    );
    return float32([hidden], sums);
  };
  const each = <T>(make: (gate: number) => T): T[] => GATES.map((_, gate) => make(gate));
  return { w: each((g) => block(1, features, g)), r: each((g) => block(2, hidden, g)), b: each(biasOf) };
}
