import { describe, expect, test } from "vitest";
import { Network } from "../../bench/backend/builder.ts";
import { checkProgram, type RangeCertificate } from "../../src/checker/check.ts";
import type { AnyArray } from "../../src/emulate/machine/memory.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { attrs, type Graph, makeGraph, type Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { makeTensor } from "../../src/ir/tensor.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { loadTarget } from "../../src/target/load.ts";
import { programOf } from "./programs.ts";

const target = loadTarget("ai4");

interface Linear {
  readonly dtype: "int8" | "int16";
  readonly zero: number;
  readonly weights: readonly number[][];
  readonly bias: readonly number[];
  readonly wide?: boolean;
}

/** y = requantize(bias + Σ (x − zero)·w), one row in. */
function product({ dtype, zero, weights, bias, wide = false }: Linear): Graph {
  const [depth, columns] = [weights.length, bias.length];
  const constants = new Map<string, Tensor>([
    ["w", makeTensor("int8", [depth, columns], Int8Array.from(weights.flat()))],
    ["b", makeTensor("int32", [columns], Int32Array.from(bias))],
    ["m", makeTensor("int32", [1], Int32Array.of(wide ? 2 ** 14 : 2 ** 30))],
    ["s", makeTensor("int32", [1], Int32Array.of(wide ? 34 : 50))],
  ]);
  return makeGraph({
    inputs: ["x"],
    outputs: ["y"],
    nodes: [
      {
        op: "MatMul",
        domain: "npu",
        inputs: ["x", "w", "b", "m", "s"],
        outputs: ["y"],
        attrs: attrs({ a_zero: { i: zero }, wide: { i: wide ? 1 : 0 } }),
        origin: ["fc"],
      },
    ],
    constants,
    types: new Map([
      ["x", { dtype, shape: [1, depth] }],
      ["y", { dtype: "int8", shape: [1, columns] }],
    ]),
  });
}

function certificates(graph: Graph): Map<string, RangeCertificate> {
  const { faults, ranges } = checkProgram(programOf(graph, target), target);
  expect(faults).toEqual([]);
  return new Map(ranges.map((one) => [one.what, one]));
}

describe("certificates of ranges", () => {
  test("the sums of a product are bounded exactly by its weights, zero point and bias", () => {
    const found = certificates(
      product({
        dtype: "int8",
        zero: -128,
        weights: [
          [3, -1],
          [-2, 5],
        ],
        bias: [10, -7],
      }),
    );
    // x + 128 in [0, 255]: column 0 is 10 + [−510, 765], column 1 −7 + [−255, 1275]; partial sums may lack the bias.
    expect(found.get("accumulator")).toMatchObject({ layer: "fc", min: -510, max: 1275, limitBits: 32 });
    expect(found.get("requantized")).toMatchObject({ min: -500, max: 1268, bits: 12 });
  });

  test("the bounds are reached: inputs at the extremes give the extreme sums", () => {
    const random = seededRandom("extremes");
    for (let run = 0; run < 20; run++) {
      const depth = 1 + Math.floor(random() * 40);
      const weights = Array.from({ length: depth }, () => [Math.floor(random() * 255) - 127]);
      const zero = Math.floor(random() * 256) - 128;
      const bias = Math.floor(random() * 2e5) - 1e5;
      const found = certificates(product({ dtype: "int8", zero, weights, bias: [bias] })).get("requantized");
      const extreme = (largest: boolean) =>
        weights.reduce((sum, [w]) => sum + w * ((w > 0 === largest ? 127 : -128) - zero), bias);
      // Leaving terms out is allowed for, so a bound may be at the bias where every product has one sign.
      expect(found?.max).toBeGreaterThanOrEqual(extreme(true));
      expect(found?.min).toBeLessThanOrEqual(extreme(false));
      if (zero > -128 && zero < 127) expect([found?.min, found?.max]).toEqual([extreme(false), extreme(true)]);
    }
  });

  test("16-bit operands have a certificate for either byte, and one for both", () => {
    const weights = Array.from({ length: 100 }, () => [127]);
    const found = certificates(product({ dtype: "int16", zero: 0, weights, bias: [5], wide: true }));
    expect(found.get("high bytes")).toMatchObject({ min: -128 * 127 * 100, max: 127 * 127 * 100, limitBits: 32 });
    expect(found.get("low bytes")).toMatchObject({ min: 0, max: 255 * 127 * 100 });
    expect(found.get("combined")).toMatchObject({ max: 32767 * 127 * 100 + 5, limitBits: 39 });
  });

  test("a producer's clamps narrow what its readers add up", () => {
    const net = new Network("clamped");
    const x = net.conv(net.input("x", [1, 4, 6, 6]), 8, 1);
    const plain = net.finish([net.conv(x, 4, 1)]);
    const relu = {
      ...plain,
      nodes: plain.nodes.map((node, at) =>
        at === 0 ? { ...node, attrs: new Map(node.attrs).set("y_min", { i: 0 }) } : node,
      ),
    };
    const last = (graph: Graph) => {
      const { ranges } = checkProgram(programOf(graph, target), target);
      return ranges.findLast(({ what }) => what === "accumulator") as RangeCertificate;
    };
    const span = ({ min, max }: RangeCertificate) => max - min;
    expect(span(last(relu))).toBeLessThan(span(last(plain)));
  });

  test("a layer that cannot be proven is refused, with what it needs", () => {
    const narrow = { ...target, array: { ...target.array, accumulatorBits: 20 } };
    const weights = Array.from({ length: 64 }, () => [127]);
    const program = programOf(product({ dtype: "int8", zero: 0, weights, bias: [0] }), target);
    const { faults } = checkProgram(program, narrow);
    expect(faults).toEqual([
      expect.objectContaining({
        kind: "range",
        where: "fc",
        says: "accumulator reaches from -1040384 to 1032256: 21 bits, the limit is 20",
      }),
    ]);
  });

  test("from types alone the bounds are wider, and no byte of the weights is read", () => {
    const program = programOf(product({ dtype: "int8", zero: 0, weights: [[1], [2]], bias: [3] }), target);
    const unread = Object.defineProperty({ ...program }, "weights", {
      get: () => {
        throw new Error("weights were read");
      },
    });
    const { faults, ranges } = checkProgram(unread, target, { ranges: "types" });
    expect(faults).toEqual([]);
    expect(ranges.find(({ what }) => what === "products")).toMatchObject({ min: -2 * 128 * 127, max: 2 * 128 * 128 });
  });

  test("nothing that the machine computes leaves the certified range", () => {
    const random = seededRandom("inside");
    const weights = Array.from({ length: 12 }, () => [Math.floor(random() * 255) - 127]);
    const graph = product({ dtype: "int8", zero: 3, weights, bias: [40] });
    const machine = createMachine(encodeProgram(programOf(graph, target)));
    const found = certificates(graph).get("requantized") as RangeCertificate;
    const code = (v: number) => Math.max(-128, Math.min(127, Math.floor((v * 2 ** 30 + 2 ** 49) / 2 ** 50)));
    for (let run = 0; run < 50; run++) {
      const x = Int8Array.from(weights, () => Math.floor(random() * 256) - 128);
      const [y] = machine.run("main", new Map<string, AnyArray>([["x", x]])).get("y") as Int8Array;
      expect(y).toBeGreaterThanOrEqual(code(found.min));
      expect(y).toBeLessThanOrEqual(code(found.max));
    }
  });
});
