import { describe, expect, it } from "vitest";
import type { Samples } from "../../src/pass.ts";
import { runPasses } from "../../src/passes.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";

/**
 * Of the weights 1 is a code and 0.3337 none; what is read is far from 0 on the mean. Where the outer taps see padding alone their
 * rounding moves nothing.
 */
const text = (length: number) => `
  input x: float32[1,2,${length}]
  const w: float32[1,2,3] = [0.3337, 1, 0.3337, 0.3337, 1, 0.3337]
  const far: float32[] = 40
  far_x = Add(x, far)
  y = Conv(far_x, w) pads=[1,1]
  return y
`;

async function correction(length: number): Promise<number> {
  const graph = prepare(text(length));
  const calibration: Samples = { size: 64, feeds: (index) => seededFeeds(graph, index + 1) };
  const after = (await runPasses(graph, ["quantize/int8"], { calibration })).graph;
  const bias = after.constants.get(after.nodes.find(({ op }) => op === "Conv")?.inputs[2] ?? "");
  return (bias?.data as Float32Array | undefined)?.[0] ?? 0;
}

describe("analytic bias correction", () => {
  it("takes back what taps make of the input, as often as they see it", async () => {
    // 0.3337 is stored as 42 / 127: two taps of two channels lose 0.012 of 40.
    const whole = 4 * 40 * (0.3337 - 42 / 127);
    expect(await correction(1)).toBeCloseTo(0, 0);
    expect(Math.abs(await correction(1))).toBeLessThan(whole / 4);
    expect(await correction(64)).toBeGreaterThan(whole * 0.75);
    // Of two results each outer tap sees one.
    const half = await correction(2);
    expect(half).toBeGreaterThan(whole * 0.25);
    expect(half).toBeLessThan(whole * 0.75);
  });
});
