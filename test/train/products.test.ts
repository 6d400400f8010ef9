import { describe, expect, it, test } from "vitest";
import { type Graph, makeGraph, type Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { createSession } from "../../src/run/ort.ts";
import { differentiate } from "../../src/train/differentiate.ts";
import { BLOCKED_DOMAIN, convolutionBlock } from "../../src/train/layout.ts";
import { withBlockedProducts } from "../../src/train/products.ts";
import { graphOf, singleFeedsOf } from "../harness/gradient.ts";
import { WIDE_PRODUCTS } from "./cases/blocked.ts";

const block = await convolutionBlock();
const LATEST = 21;

async function outputsOf(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await createSession(encodeModel({ ...graph, opsets: new Map([...graph.opsets, ["", LATEST]]) }));
  const found = await session.run(feeds);
  await session.release();
  return found;
}

const count = (graph: Graph, op: string, domain = BLOCKED_DOMAIN): number =>
  graph.nodes.filter((node) => node.op === op && node.domain === domain).length;

describe("products in blocks", () => {
  test.runIf(block !== undefined).each(WIDE_PRODUCTS)("$name gives the same gradients", async (given) => {
    const parameters = Object.keys(given.by);
    const plain = differentiate(graphOf(given, "float32"), { loss: "loss", parameters });
    const blocked = withBlockedProducts(plain, block as number);
    expect(count(blocked, "Conv")).toBeGreaterThan(0);
    const [wanted, found] = await Promise.all([plain, blocked].map((each) => outputsOf(each, singleFeedsOf(given))));
    for (const name of plain.outputs) {
      const [a, b] = [wanted, found].map((values) => numbersOf(values.get(name) as Tensor));
      expect(found.get(name)?.shape).toEqual(wanted.get(name)?.shape);
      const scale = a.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
      const apart = a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at])), 0);
      expect(apart / scale, name).toBeLessThan(1e-5);
    }
  });

  const ofShapes = (a: string, b: string, statement: string): Graph =>
    inferTypes(parse(`input a: ${a}\ninput b: ${b}\n${statement}\nreturn y`));

  it.each([
    ["float64", ofShapes("float64[64, 64]", "float64[64, 64]", "y = MatMul(a, b)")],
    ["a side that blocks do not divide", ofShapes("float32[64, 72]", "float32[72, 64]", "y = MatMul(a, b)")],
    ["a short side", ofShapes("float32[64, 64]", "float32[64, 16]", "y = MatMul(a, b)")],
    ["stacks of products", ofShapes("float32[2, 64, 64]", "float32[2, 64, 64]", "y = MatMul(a, b)")],
    ["a scaled product", ofShapes("float32[64, 64]", "float32[64, 64]", "y = Gemm(a, b) alpha=0.5")],
    ["no rows", ofShapes("float32[0, 64]", "float32[64, 64]", "y = MatMul(a, b)")],
    ["an unknown size", ofShapes("float32[rows, 64]", "float32[64, 64]", "y = MatMul(a, b)")],
    ["no product", ofShapes("float32[64, 64]", "float32[64, 64]", "y = Add(a, b)")],
  ])("leaves alone: %s", (_, graph) => {
    expect(withBlockedProducts(graph, 16)).toBe(graph);
  });

  it("adds a multiple of what lies in blocks as it makes it", async () => {
    const lines = ["x: float32[2, 32, 64]", "w: float32[64, 128]", "v: float32[128, 64]"];
    const inputs = lines.map((each) => `input ${each}`).join("\n");
    const text = (sum: string): string =>
      `${inputs}\nconst c: float32[] = 0.75\nh = MatMul(x, w)\nt = Tanh(h)\nm = Mul(t, c)\ns = ${sum}\ny = MatMul(s, v)\nreturn y`;
    const random = seededRandom("scaled sums");
    const drawn = (shape: readonly number[]) =>
      float32(
        shape,
        Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random() - 0.5),
      );
    const feeds = new Map([
      ["x", drawn([2, 32, 64])],
      ["w", drawn([64, 128])],
      ["v", drawn([128, 64])],
    ] as const);
    for (const sum of ["Add(h, m)", "Add(m, h)"]) {
      const plain = makeGraph(inferTypes(parse(text(sum))));
      const blocked = withBlockedProducts(plain, 16);
      expect([count(blocked, "Conv"), count(blocked, "Mul", ""), count(blocked, "Add", "")]).toEqual([3, 0, 0]);
      if (block !== 16) continue;
      const [a, b] = (await Promise.all([plain, blocked].map((each) => outputsOf(each, feeds)))).map((values) =>
        numbersOf(values.get("y") as Tensor),
      );
      a.forEach((value, at) => {
        expect(b[at]).toBeCloseTo(value, 5);
      });
    }
    // What is added to is not in blocks.
    const plain = makeGraph(inferTypes(parse(text("Add(m, c)"))));
    expect(count(withBlockedProducts(plain, 16), "Conv")).toBe(2);
  });

  it("keeps in blocks what lies between two products, bias and all", () => {
    const lines = ["x: float32[2, 32, 64]", "w: float32[64, 128]", "b: float32[128]", "v: float32[128, 64]"];
    const graph = parse(
      `${lines.map((each) => `input ${each}`).join("\n")}
      p = MatMul(x, w)\nh = Add(p, b)\nr = Relu(h)\ny = MatMul(r, v)\nreturn y`,
    );
    const blocked = withBlockedProducts(makeGraph(inferTypes(graph)), 16);
    expect([count(blocked, "Conv"), count(blocked, "ReorderOutput"), count(blocked, "Add", "")]).toEqual([2, 1, 0]);
    // x and the two matrices.
    expect(count(blocked, "ReorderInput")).toBe(3);
  });

  it("adds to a product what was there before, as it makes it", () => {
    const lines = ["x: float32[64, 64]", "w: float32[64, 64]", "b: float32[64]", "c: float32[64, 64]"];
    const blockedOf = (text: string): Graph =>
      withBlockedProducts(
        makeGraph(inferTypes(parse(`${lines.map((each) => `input ${each}`).join("\n")}\n${text}`))),
        16,
      );
    const adds = (text: string): number => count(blockedOf(text), "Add", "");
    expect(adds("p = MatMul(x, w)\nh = Add(p, b)\nz = Add(c, h)\nreturn z")).toBe(0);
    expect(adds("p = MatMul(x, w)\nz = Add(p, c)\nq = MatMul(z, w)\ny = Add(q, z)\nreturn y")).toBe(0);
    // Something else reads the product; what is added comes after it; it is another shape.
    expect(adds("p = MatMul(x, w)\nz = Add(p, c)\ny = Mul(p, z)\nreturn y")).toBe(1);
    expect(adds("p = MatMul(x, w)\nt = Tanh(c)\nz = Add(p, t)\nreturn z")).toBe(1);
  });

  it("sums columns as a product where the matrix lies in blocks anyway", () => {
    const sums = (text: string): number =>
      count(
        withBlockedProducts(
          makeGraph(
            inferTypes(
              parse(`input x: float32[2, 32, 64]\ninput w: float32[64, 64]\nconst a: int64[2] = [0, 1]\n${text}`),
            ),
          ),
          16,
        ),
        "ReduceSum",
        "",
      );
    expect(sums("y = MatMul(x, w)\ns = ReduceSum(x, a) keepdims=0\nreturn y, s")).toBe(0);
    expect(sums("y = MatMul(x, w)\ns = ReduceSum(y, a) keepdims=0\nreturn y, s")).toBe(0);
    expect(sums("y = MatMul(x, w)\nz = Softmax(x)\ns = ReduceSum(z, a) keepdims=0\nreturn y, s")).toBe(1);
    expect(sums("y = MatMul(x, w)\ns = ReduceSum(x, a) keepdims=1\nreturn y, s")).toBe(1);
  });
});
