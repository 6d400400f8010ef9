import { expect, it } from "vitest";
import { relativeError } from "../../../src/check.ts";
import { runPasses } from "../../../src/passes.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../../harness/pass.ts";

const PRODUCTS = `
  input x: float32[3,4]
  const w1: int8[4,2] = [10, -20, 30, 40, -50, 60, 70, -80]
  const s1: float32[] = [0.01]
  const w2: uint8[4,2] = [138, 108, 158, 168, 78, 188, 10, 250]
  const z2: uint8[2] = [128, 120]
  const s2: float32[2] = [0.02, 0.01]
  q, s, z = DynamicQuantizeLinear(x)
  m1 = MatMulInteger(q, w1, z)
  f1 = Cast(m1) to=1
  k1 = Mul(s, s1)
  a = Mul(f1, k1)
  m2 = MatMulInteger(q, w2, z, z2)
  f2 = Cast(m2) to=1
  k2 = Mul(s2, s)
  b = Mul(k2, f2)
  y = Add(a, b)
  return y
`;

it.each([
  { name: "two products of one rounding", text: PRODUCTS, ops: "MatMul MatMul Add" },
  {
    name: "a convolution",
    text: `
      input x: float32[1,2,4,4]
      const w: uint8[3,2,1,1] = [138, 108, 158, 168, 78, 188]
      const zw: uint8[] = [128]
      const sw: float32[1] = [0.02]
      q, s, z = DynamicQuantizeLinear(x)
      m = ConvInteger(q, w, z, zw) pads=[1,1,1,1]
      f = Cast(m) to=1
      k = Mul(s, sw)
      y = Mul(f, k)
      return y
    `,
    ops: "Conv",
  },
])("lower/dynamic-quantization: $name", async ({ text, ops }) => {
  const graph = prepare(text);
  const { graph: after } = await runPasses(graph, ["lower/dynamic-quantization", "simplify/dead-code"]);
  expect(after.nodes.map((node) => node.op).join(" ")).toBe(ops);
  expect((await runPasses(after, ["lower/dynamic-quantization"])).graph).toBe(after);
  const feeds = seededFeeds(graph);
  // What the rounding of the input had cost.
  expect(relativeError(interpret(after, feeds).get("y"), interpret(graph, feeds).get("y"))).toBeLessThan(0.02);
});

it("lower/dynamic-quantization leaves a product with another's scale alone", async () => {
  const graph = prepare(`
    input x: float32[3,4]
    input t: float32[]
    const w: int8[4,2] = [10, -20, 30, 40, -50, 60, 70, -80]
    const k: float32[] = [0.01]
    q, s, z = DynamicQuantizeLinear(x)
    m = MatMulInteger(q, w, z)
    f = Cast(m) to=1
    c = Mul(t, k)
    y = Mul(f, c)
    return y
  `);
  expect((await runPasses(graph, ["lower/dynamic-quantization"])).graph).toBe(graph);
});
