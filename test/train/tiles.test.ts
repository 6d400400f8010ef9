import { describe, expect, it, test } from "vitest";
import { type Graph, makeGraph, type Tensor } from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { createSession } from "../../src/run/ort.ts";
import { withOutputsAsMade } from "../../src/train/as-made.ts";
import { differentiate } from "../../src/train/differentiate.ts";
import { convolutionBlock } from "../../src/train/layout.ts";
import { withBlockedProducts } from "../../src/train/products.ts";
import { withTiles } from "../../src/train/tiles.ts";
import { type GradientCase, graphOf, singleFeedsOf } from "../harness/gradient.ts";

const block = await convolutionBlock();
const LATEST = 21;
/** Of 64 rows and 128 channels. */
const TILE = 4 * 64 * 128;

const feedForward = (activation: string, width: number): GradientCase => ({
  name: `${activation}, ${width} channels`,
  text: `p = MatMul(x, w)\nh = Add(p, b)\n${activation}\nq = MatMul(g, v)\nz = Add(q, c)\ny = Add(z, x)`,
  by: { x: [2, 32, 64], w: [64, width], b: [width], v: [width, 64], c: [64] },
});

const CASES: readonly GradientCase[] = [
  feedForward("g = Gelu(h)", 512),
  feedForward("s = Sigmoid(h)\ng = Mul(h, s)", 384),
  {
    name: "no bias",
    text: "h = MatMul(x, w)\ng = Tanh(h)\ny = MatMul(g, v)",
    by: { x: [64, 64], w: [64, 256], v: [256, 80] },
  },
];

async function outputsOf(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await createSession(encodeModel({ ...graph, opsets: new Map([...graph.opsets, ["", LATEST]]) }));
  const found = await session.run(feeds);
  await session.release();
  return found;
}

describe("tiles of wide values", () => {
  test.runIf(block !== undefined).each(CASES)("$name give the same gradients", async (given) => {
    const step = differentiate(graphOf(given, "float32"), { loss: "loss", parameters: Object.keys(given.by) });
    const whole = withBlockedProducts(step, block as number);
    const tiled = withTiles(whole, block as number, TILE);
    expect(tiled.nodes.filter(({ op }) => op === "Split").length).toBeGreaterThan(3);
    const asMade = withOutputsAsMade(tiled, step.outputs);
    const results = await Promise.all([step, whole, asMade].map((graph) => outputsOf(graph, singleFeedsOf(given))));
    for (const name of step.outputs) {
      const [a, b, c] = results.map((values) => numbersOf(values.get(name) as Tensor));
      const scale = a.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
      const apart = (other: number[]): number =>
        a.reduce((most, value, at) => Math.max(most, Math.abs(value - other[at])), 0);
      expect(c.length, name).toBe(a.length);
      expect(apart(b) / scale, name).toBeLessThan(1e-5);
      expect(apart(c) / scale, name).toBeLessThan(1e-5);
    }
  });

  const wide = (text: string): Graph =>
    withBlockedProducts(
      makeGraph(
        inferTypes(parse(`input x: float32[64, 64]\ninput w: float32[64, 256]\ninput v: float32[256, 64]\n${text}`)),
      ),
      16,
    );

  it("tiles what only products read", () => {
    const tiled = withTiles(wide("h = MatMul(x, w)\ng = Relu(h)\ny = MatMul(g, v)\nreturn y"), 16, TILE);
    expect(tiled.nodes.filter(({ op }) => op === "Relu")).toHaveLength(2);
  });

  it.each([
    ["a value that is an output", "h = MatMul(x, w)\ng = Relu(h)\ny = MatMul(g, v)\nreturn y, g"],
    [
      "one that something reads as a whole",
      "h = MatMul(x, w)\ng = Relu(h)\ns = Softmax(g)\ny = MatMul(g, v)\nreturn y, s",
    ],
    ["one that nothing is made of between products", "h = MatMul(x, w)\ny = MatMul(h, v)\nreturn y"],
    [
      "one that something else goes into",
      "h = MatMul(x, w)\ns = Softmax(h)\ng = Mul(h, s)\ny = MatMul(g, v)\nreturn y",
    ],
    ["narrow ones", "h = MatMul(x, w)\nt = MatMul(h, v)\ng = Relu(t)\ny = MatMul(g, w)\nreturn y"],
  ])("leaves alone: %s", (_, text) => {
    const graph = wide(text);
    expect(withTiles(graph, 16, TILE)).toBe(graph);
  });
});

describe("outputs as they were made", () => {
  const graph = makeGraph(
    inferTypes(
      parse(
        "input x: float32[4, 6]\nconst s: int64[1] = [24]\nt = Tanh(x)\nr = Reshape(t, s)\ny = Identity(r)\nz = Identity(x)\nreturn y, z",
      ),
    ),
  );

  it("have no views after them, but where they are inputs", async () => {
    const found = withOutputsAsMade(graph, ["y", "z"]);
    expect(found.nodes.map(({ op }) => op)).toEqual(["Tanh", "Identity"]);
    expect(found.outputs).toEqual(["y", "z"]);
    const feeds = new Map([
      ["x", { dtype: "float32" as const, shape: [4, 6], data: Float32Array.from({ length: 24 }, (_, at) => at / 9) }],
    ]);
    const [a, b] = await Promise.all([graph, found].map((each) => outputsOf(each, feeds)));
    expect(numbersOf(b.get("y") as Tensor)).toEqual(numbersOf(a.get("y") as Tensor));
  });
});
