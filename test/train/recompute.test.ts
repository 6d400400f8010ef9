import { describe, expect, it } from "vitest";
import { byteSize, type Graph, isStatic, type Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, valuesOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { readsOf } from "../../src/ir/uses.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { interpret } from "../../src/run/interpret.ts";
import { differentiate } from "../../src/train/differentiate.ts";

/** Layers of Tanh(MatMul) with a sum over one of them in the middle, wide activations and small weights. */
function chain(layers: number): Graph {
  const lines = Array.from({ length: layers }, (_, at) => [
    `const w${at}: float32[8, 8] = random(${at + 1})`,
    `h${at} = MatMul(${at === 0 ? "x" : `t${at - 1}`}, w${at})`,
    `t${at} = ${at === 5 ? "Add(h5, t2)" : `Tanh(h${at})`}`,
  ]);
  return inferTypes(
    parse(`
      input x: float32[64, 8]
      ${lines.map((each) => each[0]).join("\n")}
      ${lines.flatMap((each) => each.slice(1)).join("\n")}
      loss = ReduceMean(t${layers - 1}) keepdims=0
      return loss
    `),
  );
}

const parametersOf = (layers: number): string[] => Array.from({ length: layers }, (_, at) => `w${at}`);

function feedsOf(graph: Graph, step: Graph): Map<string, Tensor> {
  const random = seededRandom("recompute");
  const x = float32(
    [64, 8],
    Array.from({ length: 512 }, () => random() - 0.5),
  );
  return new Map(step.inputs.map((name) => [name, name === "x" ? x : (graph.constants.get(name) as Tensor)]));
}

/** Most bytes that are alive at once, node after node in the graph's order. */
function peakOf(step: Graph): number {
  const graph = inferTypes(step);
  const last = new Map(graph.nodes.flatMap((node, at) => readsOf(node).map((name) => [name, at] as const)));
  const alive = new Map<string, number>();
  let peak = 0;
  for (const [at, node] of graph.nodes.entries()) {
    for (const name of node.outputs) {
      const type = graph.types.get(name);
      // A Reshape is a view.
      const bytes = type && isStatic(type.shape) && node.op !== "Reshape" ? byteSize(type.dtype, type.shape) : 0;
      alive.set(name, bytes);
    }
    peak = Math.max(
      peak,
      [...alive.values()].reduce((sum, bytes) => sum + bytes, 0),
    );
    for (const name of alive.keys())
      if ((last.get(name) ?? -1) <= at && !graph.outputs.includes(name)) alive.delete(name);
  }
  return peak;
}

describe("recomputation", () => {
  it("gives the same bits", () => {
    for (const layers of [1, 2, 3, 9, 16]) {
      const graph = chain(layers);
      const options = { loss: "loss", parameters: parametersOf(layers) };
      const [plain, again] = [false, true].map((recompute) => {
        const step = differentiate(graph, { ...options, recompute });
        const results = interpret(step, feedsOf(graph, step));
        return step.outputs.map((name) => [...(valuesOf(results.get(name) as Tensor) as Float32Array)]);
      });
      expect(again).toEqual(plain);
    }
  });

  it("keeps a share of the memory that falls with the depth", () => {
    const shareOf = (layers: number): number => {
      const graph = chain(layers);
      const options = { loss: "loss", parameters: parametersOf(layers) };
      const [plain, again] = [false, true].map((recompute) => peakOf(differentiate(graph, { ...options, recompute })));
      return again / plain;
    };
    expect(shareOf(16)).toBeLessThan(0.75);
    expect(shareOf(64)).toBeLessThan(0.45);
  });

  it("repeats no node twice, and none of the last segment", () => {
    const graph = chain(16);
    const options = { loss: "loss", parameters: parametersOf(16) };
    const products = (recompute: boolean): number =>
      differentiate(graph, { ...options, recompute }).nodes.filter(({ op }) => op === "Tanh").length;
    expect(products(false)).toBe(15);
    expect(products(true)).toBeGreaterThan(15);
    expect(products(true)).toBeLessThan(30);
  });
});
