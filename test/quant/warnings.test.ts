import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/ir/graph.ts";
import { float32 } from "../../src/ir/tensor.ts";
import type { Samples } from "../../src/pass.ts";
import { calibrate } from "../../src/quant/calibrate.ts";
import { NO_PEAK, type Peak } from "../../src/quant/observe.ts";
import { calibrationWarnings, classWarnings, higher, mergePeaks } from "../../src/quant/warnings.ts";
import { prepare } from "../harness/pass.ts";

const GRAPH = `
  input x: float32[1,4]
  const none: float32[4] = [-100, -100, -100, -100]
  low = Add(x, none)
  dead = Relu(low)
  y = Add(dead, x)
  return y
`;

/** Numbers in [0, 1], but sample 17 has one of `strange`. */
const samplesOf = (size: number, strange: number): Samples => ({
  size,
  feeds: (index) => {
    const values = Float32Array.from({ length: 4 }, (_, at) => ((index * 7 + at * 3) % 11) / 10);
    if (index === 17) values[2] = strange;
    return new Map([["x", float32([1, 4], values)]]);
  },
});

async function warnings(graph: Graph, samples: Samples, jobs = 1): Promise<string[]> {
  const wanted = { values: ["x", "dead"], extremes: [], channels: [] };
  const found = await calibrate(graph, wanted, samples, { samples: samples.size, jobs });
  const indices = Array.from({ length: samples.size }, (_, index) => index);
  return calibrationWarnings(found, { indices, isStream: false });
}

/** A set with samples of classes in turn. */
const labelled = (classes: readonly number[], size: number, of: (index: number) => number): Samples => ({
  ...samplesOf(size, 0),
  labels: { classes, of },
});

describe("a calibration set", () => {
  it("is told which classes it lacks, where it could have them all", () => {
    const classes = [0, 1, 2, 3];
    const set = { indices: [0, 2, 4, 6, 8, 10], isStream: false };
    expect(
      classWarnings(
        labelled(classes, 12, (index) => (index / 2) % 4),
        set,
      ),
    ).toEqual([]);
    expect(
      classWarnings(
        labelled(classes, 12, (index) => index % 4),
        set,
      ),
    ).toEqual(["no calibration sample is of class 1, 3, of 4 in the data: ranges do not know what these need"]);
    const many = Array.from({ length: 7 }, (_, label) => label);
    expect(
      classWarnings(
        labelled(many, 12, () => 0),
        set,
      ),
    ).toEqual([]);
    expect(
      classWarnings(
        labelled(many.slice(1), 12, () => 0),
        set,
      )[0],
    ).toContain("class 1, 2, 3, 4, 5, 6, of 6");
    expect(classWarnings(samplesOf(12, 0), set)).toEqual([]);
  });

  it("is told to be small, to leave values dead, to hang on one sample, each where it does", async () => {
    const graph = prepare(GRAPH);
    const dead = expect.stringContaining('anything but 0 in "dead"');
    const sample = expect.stringContaining('calibration sample 17 makes "x" more than 4 times');
    expect(await warnings(graph, samplesOf(40, 0.5))).toEqual([dead]);
    expect(await warnings(graph, samplesOf(40, -30))).toEqual([dead, sample]);
    expect(await warnings(graph, samplesOf(40, -30), 2)).toEqual([dead, sample]);
    expect(await warnings(graph, samplesOf(20, 0.5))).toEqual([expect.stringContaining("only 20"), dead]);
  });

  it("has the same peaks however its samples are shared out", () => {
    const of = (list: readonly number[], first: number): Peak =>
      list.reduce((peak, magnitude, at) => higher(peak, magnitude, first + at), NO_PEAK);
    fc.assert(
      fc.property(fc.array(fc.nat(20)), fc.array(fc.nat(20)), (a, b) => {
        expect(mergePeaks(of(a, 0), of(b, a.length))).toEqual(of([...a, ...b], 0));
      }),
      { seed: 5 },
    );
  });
});
