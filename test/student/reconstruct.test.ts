import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, valuesOf } from "../../src/ir/tensor.ts";
import { interpret } from "../../src/run/interpret.ts";
import { compensated } from "../../src/student/compensate.ts";
import { reconstructed } from "../../src/student/reconstruct.ts";
import { sliceUnits } from "../../src/student/slice.ts";
import { type Units, unitsOf } from "../../src/student/units.ts";
import { builder } from "./graphs.ts";

const SAMPLES = 8;
const SIZE = 8;
const pads = { pads: { ints: [1, 1, 1, 1] } };

const numbersFrom = (random: () => number, ...shape: number[]): Tensor => {
  const count = shape.reduce((product, size) => product * size, 1);
  return float32(
    shape,
    Array.from({ length: count }, () => random() - 0.5),
  );
};

const batchOf = (seed: string): Map<string, Tensor> => {
  return new Map([["x", numbersFrom(seededRandom(seed), SAMPLES, 3, SIZE, SIZE)]]);
};
const batches = ["first", "second", "third", "fourth"].map(batchOf);

/** The squared distance of the outputs, as a share of the teacher's energy, on samples not measured on. */
function distance(teacher: Graph, student: Graph): number {
  const feeds = batchOf("unseen");
  const [a, b] = [teacher, student].map(
    (graph) => valuesOf(interpret(graph, feeds).get(graph.outputs[0]) as Tensor) as Float32Array,
  );
  const square = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);
  return square(a.map((value, at) => value - b[at])) / square(a);
}

const keptOf =
  (units: Units, dropped: ReadonlySet<number>) =>
  (value: string, axis: number): readonly number[] | undefined =>
    units.keptAlong(value, axis, dropped);

describe("a student's layers, fitted one after the other", () => {
  it("find weights that say the same where there are some, biases, strides and depthwise kernels included", async () => {
    const { emit, constant, graph } = builder("exact");
    const random = seededRandom("exact");
    const own = (...shape: number[]): string => constant(numbersFrom(random, ...shape));
    // The last four of twelve channels are sums of the others, and what reads them is linear: nothing need be lost.
    const rows = Array.from({ length: 8 }, () => [...(valuesOf(numbersFrom(random, 27)) as Float32Array)]);
    for (let row = 0; row < 4; row++) rows.push(rows[row].map((each, at) => each + 2 * rows[row + 4][at]));
    const [first] = emit("Conv", ["x", constant(float32([12, 3, 3, 3], rows.flat()))], pads);
    const [second] = emit("Conv", [first, own(6, 12, 3, 3), own(6)], { ...pads, strides: { ints: [2, 1] } });
    const [third] = emit("Conv", [second, own(6, 1, 3, 3), own(6)], { ...pads, group: { i: 6 } });
    const [last] = emit("Transpose", [third], { perm: { ints: [0, 2, 3, 1] } });
    const [product] = emit("MatMul", [last, own(6, 5)]);
    const teacher = graph([{ name: "x", shape: [SAMPLES, 3, SIZE, SIZE] }], [product]);
    const units = unitsOf(teacher);
    const dropped = new Set([8, 9, 10, 11].map((index) => units.unitAt(first, 1, index)));
    const bare = sliceUnits(units, dropped);
    expect(distance(teacher, bare)).toBeGreaterThan(0.05);
    const student = await reconstructed(bare, teacher, keptOf(units, dropped), batches);
    expect(distance(teacher, student)).toBeLessThan(1e-4);
  });

  it("come nearer than where each takes its inputs for the teacher's", async () => {
    const { emit, constant, graph } = builder("deep");
    const random = seededRandom("deep");
    const own = (...shape: number[]): string => constant(numbersFrom(random, ...shape));
    let value = "x";
    let channels = 3;
    const middles: string[] = [];
    for (let depth = 0; depth < 4; depth++) {
      [value] = emit("Conv", [value, own(12, channels, 3, 3), own(12)], pads);
      [value] = emit("Relu", [value]);
      middles.push(value);
      [value] = emit("Conv", [value, own(12, 1, 3, 3), own(12)], { ...pads, group: { i: 12 } });
      channels = 12;
    }
    [value] = emit("Conv", [value, own(4, 12, 1, 1), own(4)]);
    const teacher = graph([{ name: "x", shape: [SAMPLES, 3, SIZE, SIZE] }], [value]);
    const units = unitsOf(teacher);
    const dropped = new Set(middles.flatMap((each) => [9, 10, 11].map((index) => units.unitAt(each, 1, index))));
    const told = sliceUnits(await compensated(units, dropped, batches), dropped);
    const student = await reconstructed(told, teacher, keptOf(units, dropped), batches);
    expect(distance(teacher, student)).toBeLessThan(0.7 * distance(teacher, told));
    // With too little to go by, all stays as it was.
    expect(await reconstructed(told, teacher, keptOf(units, dropped), [])).toBe(told);
  });
});
