import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { interpret } from "../../src/run/interpret.ts";
import { withShortRowSums } from "../../src/train/attention.ts";
import { differentiate } from "../../src/train/differentiate.ts";
import { type GradientCase, graphOf, singleFeedsOf } from "../harness/gradient.ts";

const attention = (by: GradientCase["by"], text: string): GradientCase => ({ name: "", text, by });

const SCORES = "s = MatMul(q, k)\np = Softmax(s)";
const SHAPES = { q: [2, 3, 6, 2], k: [2, 3, 2, 6], v: [2, 3, 6, 2] };

/** Sums over the last axis, with how many numbers each. */
function sumsOf(graph: Graph): number[] {
  const made = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  return graph.nodes.flatMap((node) => {
    const product = node.op === "ReduceSum" ? made.get(node.inputs[0]) : undefined;
    if (product?.op !== "Mul") return [];
    const shapes = product.inputs.map((name) => graph.types.get(name)?.shape ?? []);
    return [Number(shapes[0].at(-1))];
  });
}

const stepOf = (given: GradientCase): Graph =>
  differentiate(graphOf(given, "float32"), { loss: "loss", parameters: Object.keys(given.by) });

describe("row sums of attention", () => {
  it("are over a head's channels, with the same gradients", async () => {
    const given = attention(SHAPES, `${SCORES}\ny = MatMul(p, v)`);
    const plain = stepOf(given);
    const short = withShortRowSums(plain);
    // The first is the loss's own.
    expect([sumsOf(plain), sumsOf(short)]).toEqual([
      [2, 6],
      [2, 2],
    ]);
    const feeds = singleFeedsOf(given);
    const [wanted, found] = await Promise.all([plain, short].map((graph) => interpret(graph, feeds)));
    for (const name of plain.outputs) {
      const [a, b] = [wanted, found].map((values) => numbersOf(values.get(name) as Tensor));
      a.forEach((value, at) => {
        expect(b[at], name).toBeCloseTo(value, 5);
      });
    }
  });

  it.each([
    ["values as wide as the scores", attention({ ...SHAPES, v: [2, 3, 6, 6] }, `${SCORES}\ny = MatMul(p, v)`)],
    ["shares that are multiplied with nothing", attention({ q: SHAPES.q, k: SHAPES.k }, `${SCORES}\ny = Mul(p, s)`)],
    [
      "shares that something else reads",
      attention(SHAPES, `${SCORES}\no = MatMul(p, v)\nw = ReduceMean(p) keepdims=0\ny = Add(o, w)`),
    ],
    ["another axis", attention(SHAPES, "s = MatMul(q, k)\np = Softmax(s) axis=2\ny = MatMul(p, v)")],
  ])("stay for %s", (_, given) => {
    const plain = stepOf(given);
    expect(withShortRowSums(plain)).toBe(plain);
  });
});
