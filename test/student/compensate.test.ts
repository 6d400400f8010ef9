import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, valuesOf } from "../../src/ir/tensor.ts";
import { interpret } from "../../src/run/interpret.ts";
import { compensated } from "../../src/student/compensate.ts";
import { sliceUnits } from "../../src/student/slice.ts";
import { unitsOf } from "../../src/student/units.ts";
import { builder } from "./graphs.ts";

const IN = 3;
const KEPT = 8;
const ALL = 12;

/** Twelve channels, of which the last four are mixtures of the others (and rectified, if asked), read by two convolutions and a product. */
function network(rectified: boolean): Graph {
  const { emit, constant, graph } = builder("mixtures");
  const random = seededRandom("weights");
  const numbers = (count: number): number[] => Array.from({ length: count }, () => random() - 0.5);
  const rows = Array.from({ length: KEPT }, () => numbers(IN * 9));
  while (rows.length < ALL) {
    const mixture = numbers(KEPT);
    rows.push(rows[0].map((_, at) => mixture.reduce((sum, part, row) => sum + part * rows[row][at], 0)));
  }
  const pads = { pads: { ints: [1, 1, 1, 1] } };
  const own = (...shape: number[]): string =>
    constant(float32(shape, numbers(shape.reduce((product, size) => product * size, 1))));
  const [linear] = emit("Conv", ["x", constant(float32([ALL, IN, 3, 3], rows.flat()))], pads);
  const all = rectified ? emit("Relu", [linear])[0] : linear;
  const [padded] = emit("Conv", [all, own(5, ALL, 3, 3), own(5)], pads);
  const [turned] = emit("ConvTranspose", [all, own(ALL, 5, 3, 3)], pads);
  const [last] = emit("Transpose", [all], { perm: { ints: [0, 2, 3, 1] } });
  const [product] = emit("MatMul", [last, own(ALL, 2)]);
  return graph([{ name: "x", shape: [4, IN, 6, 6] }], [padded, turned, product]);
}

const batchOf = (seed: string): Map<string, Tensor> => {
  const random = seededRandom(seed);
  return new Map([
    [
      "x",
      float32(
        [4, IN, 6, 6],
        Array.from({ length: 4 * IN * 36 }, () => random() - 0.5),
      ),
    ],
  ]);
};

/** Of each output: the squared distance from the teacher's, as a share of the teacher's own energy, on samples not measured on. */
function distances(teacher: Graph, student: Graph): number[] {
  const feeds = batchOf("unseen");
  const [whole, thin] = [interpret(teacher, feeds), interpret(student, feeds)];
  return teacher.outputs.map((name, at) => {
    const [a, b] = [whole.get(name), thin.get(student.outputs[at])].map(
      (each) => valuesOf(each as Tensor) as Float32Array,
    );
    const square = (values: Float32Array): number => values.reduce((sum, value) => sum + value * value, 0);
    return square(a.map((value, index) => value - b[index])) / square(a);
  });
}

async function students(rectified: boolean) {
  const teacher = network(rectified);
  const units = unitsOf(teacher);
  const dropped = new Set(Array.from({ length: ALL - KEPT }, (_, at) => units.unitAt("v0_0", 1, KEPT + at)));
  const told = await compensated(units, dropped, [batchOf("first"), batchOf("second")]);
  return { teacher, bare: sliceUnits(units, dropped), told: sliceUnits(told, dropped), units, dropped };
}

describe("readers of dropped channels", () => {
  it("miss nothing that the others can tell, at the borders either", async () => {
    const { teacher, bare, told } = await students(false);
    for (const distance of distances(teacher, bare)) expect(distance).toBeGreaterThan(0.01);
    for (const distance of distances(teacher, told)) expect(distance).toBeLessThan(1e-5);
  });

  it("miss less of what the others can tell in part", async () => {
    const { teacher, bare, told } = await students(true);
    const before = distances(teacher, bare);
    for (const [at, distance] of distances(teacher, told).entries()) expect(distance).toBeLessThan(0.6 * before[at]);
  });

  it("are as they were where no sample was measured", async () => {
    const { units, dropped, bare } = await students(true);
    const none = sliceUnits(await compensated(units, dropped, []), dropped);
    expect([...none.constants]).toEqual([...bare.constants]);
  });
});
