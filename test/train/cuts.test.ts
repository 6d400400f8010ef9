import { describe, expect, it, test } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { interpret } from "../../src/run/interpret.ts";
import { createSession } from "../../src/run/ort.ts";
import { withBlockedCuts } from "../../src/train/cuts.ts";
import { convolutionBlock } from "../../src/train/layout.ts";
import { withBlockedProducts } from "../../src/train/products.ts";

const BLOCK = 16;
const block = await convolutionBlock();

const INPUTS = { x: [2, 40, 64], w: [64, 192], v: [192, 64] } as const;
const BOUNDS = { none: 0, first: 64, second: 128, all: 192, last: 2, middle: 1, odd: 72, few: 16 };

const graphOf = (...lines: readonly string[]): Graph =>
  inferTypes(
    parse(
      [
        ...Object.entries(INPUTS).map(([name, shape]) => `input ${name}: float32[${shape}]`),
        ...Object.entries(BOUNDS).map(([name, value]) => `const ${name}: int64[1] = [${value}]`),
        "const rows: int64[2] = [0, 1]",
        ...lines,
      ].join("\n"),
    ),
  );

const H = "h = MatMul(x, w)";
const PARTS = [H, "a = Slice(h, none, first, last)", "b = Slice(h, second, all, last)", "ta = Tanh(a)", "tb = Tanh(b)"];
const JOINED = [...PARTS, "s = ReduceSum(j, rows) keepdims=0", "j = Concat(tb, ta, ta) axis=2", "y = MatMul(j, v)"];
/** In an order that a graph may have. */
const SUMMED = [...JOINED.slice(0, 5), JOINED[6], JOINED[5], JOINED[7]];

const makersOf = (graph: Graph, op: string): (string | undefined)[] =>
  graph.nodes
    .filter((node) => node.op === op)
    .map(({ inputs }) => graph.nodes.find(({ outputs }) => outputs.includes(inputs[0]))?.op);

function feeds(): Map<string, Tensor> {
  const random = seededRandom("cuts");
  const values = (shape: readonly number[]): number[] =>
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() - 0.5);
  return new Map(Object.entries(INPUTS).map(([name, shape]) => [name, float32(shape, values(shape))]));
}

describe("cuts and joins of channels in blocks", () => {
  test.runIf(block === BLOCK).each([
    ["cuts", [...PARTS, "return ta, tb"]],
    ["joins", [...SUMMED.filter((line) => !line.startsWith("s =")), "return y"]],
    ["joins that something else reads", [...SUMMED, "t = Exp(j)", "return y, s, t"]],
  ])("give the same: %s", async (_, lines) => {
    const plain = graphOf(...lines);
    const blocked = withBlockedCuts(withBlockedProducts(plain, BLOCK), BLOCK);
    const session = await createSession(encodeModel(blocked));
    const found = await session.run(feeds());
    await session.release();
    for (const [name, wanted] of interpret(plain, feeds())) {
      const numbers = numbersOf(found.get(name) as Tensor);
      numbersOf(wanted as Tensor).forEach((value, at) => {
        expect(numbers[at], `${name} ${at}`).toBeCloseTo(value, 4);
      });
    }
  });

  it("takes pieces out of what a product made, and joins them for another", () => {
    const blocked = withBlockedCuts(withBlockedProducts(graphOf(...SUMMED, "return y, s"), BLOCK), BLOCK);
    expect(makersOf(blocked, "Slice")).toEqual(["Conv", "Conv"]);
    expect(makersOf(blocked, "Concat")).toEqual(["ReorderInput"]);
    // One piece is there twice, and put in blocks once.
    expect(blocked.nodes.find(({ op }) => op === "Concat")?.inputs).toHaveLength(3);
    // The product that sums the columns reads what is joined in blocks.
    expect(makersOf(blocked, "ReduceSum")).toEqual([]);
  });

  it.each([
    ["a bound between two blocks' ends", [H, "a = Slice(h, none, odd, last)", "return a"]],
    ["another axis", [H, "a = Slice(h, none, few, middle)", "return a"]],
    ["what no product made", ["a = Slice(x, none, few, last)", "return a"]],
    ["a join that nothing puts in blocks", ["j = Concat(x, x) axis=2", "return j"]],
    ["a join of places", ["j = Concat(x, x) axis=1", "y = MatMul(j, w)", "return y"]],
    [
      "pieces that end within a block",
      [
        H,
        "a = Slice(h, none, odd, last)",
        "b = Slice(h, odd, all, last)",
        "j = Concat(b, a) axis=2",
        "y = MatMul(j, v)",
        "return y",
      ],
    ],
  ])("leaves alone: %s", (_, lines) => {
    const graph = withBlockedProducts(graphOf(...lines), BLOCK);
    expect(withBlockedCuts(graph, BLOCK)).toBe(graph);
  });
});
