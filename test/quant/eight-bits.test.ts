import { describe, expect, it } from "vitest";
import { elementCount, type Graph, type Tensor } from "../../src/ir/graph.ts";
import { makeTensor } from "../../src/ir/tensor.ts";
import type { Samples } from "../../src/pass.ts";
import { type EightBitOptions, eightBitChoices } from "../../src/quant/eight-bits.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";

/** Three products side by side: what `loud` is multiplied with counts a hundred times as much as the others. */
const GRAPH = `
  input x: float32[4,16]
  const quiet: float32[16,16] = random(1)
  const loud: float32[16,8] = random(2)
  const large: float32[16,40] = random(3)
  const hundred: float32[] = 100
  a = MatMul(x, quiet)
  b = MatMul(x, loud)
  c = MatMul(x, large)
  d = Mul(b, hundred)
  y = Concat(a, d, c) axis=1
  return y
`;

const OPTIONS: EightBitOptions = {
  ...{ method: "gptq", block: 32, damping: 0.01, actOrder: true, passes: 1, steps: 1 },
  ...{ samples: 16, vectors: 64, stages: 2, jobs: 1 },
  ...{ prefix: "rounded", biasCorrection: true, emit: "codes" },
  formatOf: () => "int4",
  share: 0.5,
  trials: 8,
};

const samplesOf = (graph: Graph): Samples => ({ size: 16, feeds: (index) => seededFeeds(graph, index + 1) });
const chosen = async (graph: Graph, options: Partial<EightBitOptions> = {}) =>
  (await eightBitChoices(graph, samplesOf(graph), { ...OPTIONS, ...options })).map(({ weights }) => weights);

describe("eightBitChoices", () => {
  it("takes the layers whose 4 bits cost most for their size, as far as the share goes", async () => {
    const graph = prepare(GRAPH);
    // 128 of 1,024 weights; 256 more; all.
    expect(await chosen(graph, { share: 0.12 })).toEqual([]);
    expect(await chosen(graph, { share: 0.125 })).toEqual(["loud"]);
    expect((await chosen(graph, { share: 0.5 })).toSorted()).toEqual(["loud", "quiet"]);
    expect((await chosen(graph, { share: 1 })).toSorted()).toEqual(["large", "loud", "quiet"]);
    const all = await eightBitChoices(graph, samplesOf(graph), { ...OPTIONS, share: 1 });
    expect(all[0]).toMatchObject({ weights: "loud", size: 0.125 });
    expect(all[0].error).toBeGreaterThan(0.99);
    expect(all.reduce((sum, { error }) => sum + error, 0)).toBeCloseTo(1, 9);
  });

  it("leaves what has another format, and what 4 bits hold without an error", async () => {
    const graph = prepare(GRAPH);
    const formatOf: EightBitOptions["formatOf"] = ({ inputs }) => (inputs[1] === "loud" ? undefined : "int4");
    expect(await chosen(graph, { formatOf, share: 0.3 })).toEqual(["quiet"]);
    const whole = [...graph.constants].map(([name, tensor]): [string, Tensor] => {
      if (name === "hundred") return [name, tensor];
      const codes = Float32Array.from({ length: elementCount(tensor.shape) }, (_, index) => (index % 2 === 0 ? 7 : -7));
      return [name, makeTensor("float32", tensor.shape, codes)];
    });
    expect(await chosen({ ...graph, constants: new Map(whole) }, { method: "nearest", share: 1 })).toEqual([]);
    expect(await chosen(graph, { share: 0 })).toEqual([]);
  });
});
