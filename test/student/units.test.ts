import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, stridesOf, valuesOf } from "../../src/ir/tensor.ts";
import { verify } from "../../src/ir/verify.ts";
import { interpret } from "../../src/run/interpret.ts";
import { sliceUnits } from "../../src/student/slice.ts";
import { type Units, unitsOf } from "../../src/student/units.ts";
import { builder, randomConvNet, randomTransformer } from "./graphs.ts";

/** The teacher with zeros where weights belong to a dropped unit, all shapes as they were. */
function masked({ graph, unitAt }: Units, dropped: ReadonlySet<number>): Graph {
  const constants = new Map<string, Tensor>();
  for (const [name, tensor] of graph.constants) {
    if (tensor.dtype !== "float32") {
      constants.set(name, tensor);
      continue;
    }
    const strides = stridesOf(tensor.shape);
    const values = Float32Array.from(valuesOf(tensor) as Float32Array, (value, index) => {
      const gone = tensor.shape.some((size, axis) =>
        dropped.has(unitAt(name, axis, Math.floor(index / strides[axis]) % size)),
      );
      return gone ? 0 : value;
    });
    constants.set(name, { ...tensor, data: values });
  }
  return { ...graph, constants };
}

function someUnits({ groups }: Units, seed: string): Set<number> {
  const random = seededRandom(seed);
  return new Set(groups.flatMap(({ units }) => units.filter((_, index) => index > 0 && random() < 0.5)));
}

const inputOf = (graph: Graph, seed: string): Map<string, Tensor> => {
  const random = seededRandom(seed);
  return new Map(
    graph.inputs.map((name) => {
      const shape = graph.types.get(name)?.shape as number[];
      const count = shape.reduce((a, b) => a * b, 1);
      return [
        name,
        float32(
          shape,
          Array.from({ length: count }, () => Math.floor(random() * 5) - 2),
        ),
      ];
    }),
  );
};

describe.each([
  ["convolutions", randomConvNet],
  ["attention", randomTransformer],
])("units of random networks with %s", (_, network) => {
  it("leave, sliced off, exactly what zeros would leave", () => {
    let [graphs, gone] = [0, 0];
    fc.assert(
      fc.property(fc.nat(1_000_000), (number) => {
        const graph = network(`${number}`);
        const units = unitsOf(graph);
        const dropped = someUnits(units, `${number}`);
        const student = sliceUnits(units, dropped);
        expect(verify(student)).toBeUndefined();
        const feeds = inputOf(graph, `${number}`);
        expect(interpret(student, feeds)).toEqual(interpret(masked(units, dropped), feeds));
        graphs++;
        gone += dropped.size;
      }),
      { numRuns: 60, seed: 5 },
    );
    expect(gone).toBeGreaterThan(2 * graphs);
  });
});

const sizesOf = (graph: Graph): [number, number][] =>
  unitsOf(graph).groups.map(({ units, width }) => [units.length, width]);

describe("units", () => {
  it("are the heads of an attention and the hidden channels, not what a residual stream holds", () => {
    const graph = randomTransformer("heads");
    const width = graph.constants.get("c1")?.shape[0] as number;
    const [heads, hidden] = sizesOf(graph);
    // Of each head: queries, keys and values.
    expect(heads[0] * heads[1]).toBe(width);
    expect(hidden[1]).toBe(1);
    expect(sizesOf(graph)).toHaveLength(2);
  });

  it("are whole groups where a convolution has groups", () => {
    const { emit, weights, graph } = builder("groups");
    const [a] = emit("Conv", ["x", weights(8, 3, 1, 1)]);
    const [b] = emit("Conv", [a, weights(12, 2, 1, 1)], { group: { i: 4 } });
    const [c] = emit("Conv", [b, weights(2, 12, 1, 1)]);
    expect(sizesOf(graph([{ name: "x", shape: [1, 3, 2, 2] }], [c]))).toEqual([[4, 2]]);
  });

  it.each([
    ["a norm over channels", "LayerNormalization", (weights: (...shape: number[]) => string) => [weights(8)]],
    ["Softmax over channels", "Softmax", () => []],
    ["an operator that nobody knows", "Hardmax", () => []],
  ])("end at %s", (_, op, more) => {
    const { emit, weights, graph } = builder(op);
    const [a] = emit("MatMul", ["x", weights(4, 8)]);
    const [b] = emit(op, [a, ...more(weights)]);
    const [c] = emit("MatMul", [b, weights(8, 2)]);
    expect(sizesOf(graph([{ name: "x", shape: [3, 4] }], [c]))).toEqual([]);
  });
});
