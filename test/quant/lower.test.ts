import { describe, expect, it } from "vitest";
import { dequantize } from "../../src/ir/codes.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { valuesOf } from "../../src/ir/tensor.ts";
import type { Feeds, Samples } from "../../src/pass.ts";
import { runPasses } from "../../src/passes.ts";
import { interpret } from "../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";
import { CASES } from "./lower-cases.ts";
import { GAINS } from "./lower-cases-gains.ts";
import { MOVES } from "./lower-cases-moves.ts";

function samplesOf(graph: Graph): Samples {
  return { size: 6, feeds: (index): Feeds => seededFeeds(graph, index + 1) };
}

interface Distance {
  /** Largest distance, in steps of the output. */
  readonly steps: number;
  /** max|Δ| / max|y|. */
  readonly relative: number;
}

function distance(want: Tensor, got: Tensor): Distance {
  const scale = got.quant?.scale[0] ?? 0;
  const [a, b] = [valuesOf(dequantize(want)), valuesOf(dequantize(got))] as ArrayLike<number>[];
  expect(b.length).toBe(a.length);
  let [gap, largest] = [0, 1e-30];
  for (let index = 0; index < a.length; index++) {
    gap = Math.max(gap, Math.abs(a[index] - b[index]));
    largest = Math.max(largest, Math.abs(a[index]));
  }
  return { steps: gap / scale, relative: gap / largest };
}

/** Hidden values have no codes, so the annotated graph computes them in reals; weights are rounded in both. */
async function compare(
  text: string,
  activations: "int8" | "int16",
  weights: "int8" | "int4" = "int8",
): Promise<{ fake: Distance; real: Distance }> {
  const float = prepare(text);
  const options = { activations, outputs: activations, calibrator: "min-max", weights, block: 32 };
  const calibration = samplesOf(float);
  const { graph: annotated } = await runPasses(float, [{ pass: "quantize/int8", ...options }], { calibration });
  const { graph: integer } = await runPasses(annotated, ["lower/integer"]);
  for (const node of integer.nodes) expect(`${node.domain}:${node.op}`).toMatch(/^npu:/);
  const worst = { fake: { steps: 0, relative: 0 }, real: { steps: 0, relative: 0 } };
  for (const seed of [1, 3]) {
    const feeds = seededFeeds(float, seed);
    const [a, b, c] = [interpret(float, feeds), interpret(annotated, feeds), interpret(integer, feeds)];
    for (const name of float.outputs) {
      const got = c.get(name) as Tensor;
      for (const [key, want] of [
        ["real", a],
        ["fake", b],
      ] as const) {
        const found = distance(want.get(name) as Tensor, got);
        worst[key].steps = Math.max(worst[key].steps, found.steps);
        worst[key].relative = Math.max(worst[key].relative, found.relative);
      }
    }
  }
  return { fake: worst.fake, real: worst.real };
}

/**
 * Every operator with an integer form, alone in a graph: quantized on seeded samples, lowered, and run with the chip's
 * integers. Two truths are compared: the same quantized graph in real arithmetic (the lowering may differ by a few of the
 * output's steps, for it rounds where reals do not), and the float graph (the whole error of quantization).
 */
describe.each(["int8", "int16"] as const)("%s activations", (activations) => {
  it.each([...CASES, ...MOVES, ...GAINS])("$name", async ({ graph, steps, error }) => {
    const { fake, real } = await compare(graph, activations);
    expect(fake.steps).toBeLessThanOrEqual(steps?.[activations] ?? (activations === "int8" ? 2.01 : 8));
    expect(real.relative).toBeLessThanOrEqual(error?.[activations] ?? (activations === "int8" ? 0.06 : 0.015));
  });
});

/** What 4 bits lose is the rounding's affair; that the integers say the same as the rounded weights is the lowering's. */
describe.each(["int8", "int16"] as const)("int4 weights, %s activations", (activations) => {
  it.each(CASES.filter(({ graph }) => /(Conv|ConvTranspose|Gemm|MatMul)\(/.test(graph)))(
    "$name",
    async ({ graph, steps }) => {
      const { fake } = await compare(graph, activations, "int4");
      expect(fake.steps).toBeLessThanOrEqual(steps?.[activations] ?? (activations === "int8" ? 2.01 : 8));
    },
  );
});
