import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, valuesOf } from "../../src/ir/tensor.ts";
import { interpret } from "../../src/run/interpret.ts";
import { deriveStudent } from "../../src/student/derive.ts";
import { symmetricEigen } from "../../src/student/eigen.ts";
import { factorLayers } from "../../src/student/low-rank.ts";
import { builder } from "./graphs.ts";

const noise = (seed: string, count: number): Float64Array => {
  const random = seededRandom(seed);
  return Float64Array.from({ length: count }, () => random() - 0.5);
};

/** [rows, columns] of a given rank. */
function thinMatrix(seed: string, rows: number, columns: number, rank: number): Float64Array {
  const [left, right] = [noise(`${seed} left`, rows * rank), noise(`${seed} right`, rank * columns)];
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += left[row * rank + k] * right[k * columns + column];
    return sum;
  });
}

describe("eigenvectors of symmetric matrices", () => {
  it("are orthonormal, and give the matrix back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 24 }), fc.integer({ min: 1, max: 24 }), fc.nat(), (size, rank, seed) => {
        const half = noise(String(seed), size * rank);
        const matrix = new Float64Array(size * size);
        for (let i = 0; i < size; i++) {
          for (let j = 0; j < size; j++) {
            for (let k = 0; k < rank; k++) matrix[i * size + j] += half[i * rank + k] * half[j * rank + k];
          }
        }
        const { values, vectors } = symmetricEigen(matrix, size);
        for (let i = 0; i < size; i++) {
          if (i > 0) expect(values[i]).toBeLessThanOrEqual(values[i - 1]);
          for (let j = 0; j < size; j++) {
            let [back, dot] = [0, 0];
            for (let k = 0; k < size; k++) {
              back += vectors[i * size + k] * values[k] * vectors[j * size + k];
              dot += vectors[k * size + i] * vectors[k * size + j];
            }
            expect(back).toBeCloseTo(matrix[i * size + j], 10);
            expect(dot).toBeCloseTo(i === j ? 1 : 0, 10);
          }
        }
        if (rank < size) expect(Math.abs(values[rank])).toBeLessThan(1e-12 * size);
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  it("of nothing and of a diagonal are at once there", () => {
    expect([...symmetricEigen(new Float64Array(9), 3).values]).toEqual([0, 0, 0]);
    expect([...symmetricEigen(Float64Array.of(1, 0, 0, 3), 2).vectors]).toEqual([0, 1, 1, 0]);
  });
});

/** A dense layer of each kind, all of rank 8, then 5 scores: [3, 16, 5, 5] in, or [3, 5, 16]. */
function network(kind: "Conv" | "Gemm" | "turned Gemm" | "MatMul", rank: number, hasBias = true): Graph {
  const { emit, constant, graph } = builder(kind);
  const bias = hasBias && kind !== "MatMul" ? [constant(float32([32], noise("bias", 32)))] : [];
  switch (kind) {
    case "Conv": {
      const weights = constant(float32([32, 16, 3, 3], thinMatrix("w", 32, 144, rank)));
      const pads = { pads: { ints: [1, 1, 1, 1] }, strides: { ints: [2, 2] } };
      return graph([{ name: "x", shape: [3, 16, 5, 5] }], emit("Conv", ["x", weights, ...bias], pads));
    }
    case "Gemm":
    case "MatMul": {
      const weights = constant(float32([40, 32], thinMatrix("w", 40, 32, rank)));
      const shape = kind === "Gemm" ? [30, 40] : [3, 10, 40];
      return graph([{ name: "x", shape }], emit(kind, ["x", weights, ...bias]));
    }
    default: {
      const weights = constant(float32([32, 40], thinMatrix("w", 32, 40, rank)));
      return graph([{ name: "x", shape: [30, 40] }], emit("Gemm", ["x", weights, ...bias], { transB: { i: 1 } }));
    }
  }
}

function samplesOf({ inputs, types }: Graph, count: number): Map<string, Tensor>[] {
  const shape = (types.get(inputs[0])?.shape ?? []).map(Number);
  const size = shape.reduce((product, each) => product * each, 1);
  return Array.from({ length: count }, (_, at) => new Map([[inputs[0], float32(shape, noise(`x ${at}`, size))]]));
}

const resultOf = (graph: Graph, sample: ReadonlyMap<string, Tensor>): Tensor =>
  interpret(graph, sample).get(graph.outputs[0]) as Tensor;

/** ‖y − ŷ‖² over ‖y‖², or over what y varies about the mean of its channel. */
function errorOf(graph: Graph, other: Graph, sample: ReadonlyMap<string, Tensor>, about: "zero" | "mean"): number {
  const want = resultOf(graph, sample);
  const found = valuesOf(resultOf(other, sample)) as Float32Array;
  const values = valuesOf(want) as Float32Array;
  const channelOf = (index: number): number =>
    want.shape.length === 4 ? Math.floor(index / 9) % want.shape[1] : index % 32;
  const sums = new Float64Array(32);
  for (const [index, value] of values.entries()) sums[channelOf(index)] += value;
  const means = sums.map((sum) => (about === "mean" ? (sum * 32) / values.length : 0));
  let [apart, whole] = [0, 0];
  for (const [index, value] of values.entries()) {
    apart += (value - found[index]) ** 2;
    whole += (value - means[channelOf(index)]) ** 2;
  }
  return apart / whole;
}

describe("layers at a lower rank", () => {
  for (const kind of ["Conv", "Gemm", "turned Gemm", "MatMul"] as const) {
    it(`${kind}: what has that rank stays what it is`, async () => {
      const graph = network(kind, 8);
      const samples = samplesOf(graph, 4);
      const { graph: thin, layers } = await factorLayers(graph, { share: 0.5, multiple: 8 }, samples);
      expect(layers).toHaveLength(1);
      expect(layers[0].rank).toEqual({ teacher: 32, student: 8 });
      expect(layers[0].kept).toBeGreaterThan(0.9999);
      expect(thin.nodes.map(({ op }) => op)).toEqual([graph.nodes[0].op, graph.nodes[0].op]);
      expect(thin.outputs).toEqual(graph.outputs);
      // The sample is a new one: nothing of the weights is lost, not only of what was seen.
      expect(errorOf(graph, thin, samplesOf(graph, 5)[4], "zero")).toBeLessThan(1e-6);
    });

    it(`${kind}: of all matrices of that rank it is the closest on what was read`, async () => {
      const graph = network(kind, 32);
      const samples = samplesOf(graph, 1);
      const { graph: thin, layers } = await factorLayers(graph, { share: 0.5, multiple: 4 }, samples);
      const error = errorOf(graph, thin, samples[0], kind === "MatMul" ? "zero" : "mean");
      expect(layers[0].kept).toBeGreaterThan(0.2);
      expect(error).toBeCloseTo(1 - layers[0].kept, 4);
    });
  }

  it("leaves what would be no smaller, or too thin for the array", async () => {
    const graph = network("Gemm", 32);
    const samples = samplesOf(graph, 1);
    expect((await factorLayers(graph, { share: 1, multiple: 32 }, samples)).layers).toEqual([]);
    expect((await factorLayers(graph, { share: 0.1, multiple: 8 }, samples)).layers).toEqual([]);
  });

  it("is part of a student, beside blocks and widths", async () => {
    const graph = network("Conv", 8, false);
    const { graph: thin, report } = await deriveStudent(
      graph,
      { rank: 0.5, multiple: 8 },
      { batches: samplesOf(graph, 2) },
    );
    expect(report.factored).toMatchObject([{ rank: { teacher: 32, student: 8 } }]);
    expect(report.macs.student).toBeLessThan(0.5 * report.macs.teacher);
    expect(thin.nodes).toHaveLength(2);
  });
});
