import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { runPasses } from "../../src/passes.ts";
import { fusionGroups } from "../../src/quant/groups.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";

const CONV = `
  input x: float32[1,3,4,4]
  const w: float32[2,3,1,1] = random(1)
  const half: float32[] = [0.5]
  const six: float32[] = [6]
  const zero: float32[] = [0]
  const g: float32[2,1,1] = [0.5, 3.0]
  c = Conv(x, w)
`;

/** The only group of a graph, by the outputs of its activations, and what rides. */
function groupOf(text: string) {
  const [group] = fusionGroups(prepare(text)).byAnchor.values();
  if (!group) return undefined;
  const { riding, activations, output } = group;
  const { gains, kind } = riding;
  return { kind, gains: gains && [...gains], names: activations.map((node) => node.outputs[0]), output, riding };
}

describe("factors of channels", () => {
  it("ride on a convolution alone", () => {
    expect(groupOf(`${CONV} y = Mul(c, g)\n return y`)).toMatchObject({
      kind: "clamp",
      gains: [0.5, 3],
      riding: { low: -Infinity, high: Infinity },
    });
  });

  it("follow functions, and a clamp at 0 stays one", () => {
    const found = groupOf(`${CONV} s = Mul(c, half)\n r = Relu(s)\n y = Mul(g, r)\n return y`);
    expect(found).toMatchObject({ kind: "clamp", gains: [0.5, 3], names: ["s", "r", "y"], output: "y" });
    expect(found?.riding).toMatchObject({ low: 0, gain: 0.5 });
    expect(groupOf(`${CONV} r = Sigmoid(c)\n y = Mul(r, g)\n return y`)).toMatchObject({
      kind: "table",
      gains: [0.5, 3],
    });
  });

  it("make a clamp within other bounds a table that ends at them", () => {
    const found = groupOf(`${CONV} r = Clip(c, zero, six)\n y = Mul(r, g)\n return y`);
    expect(found).toMatchObject({ kind: "table", gains: [0.5, 3], riding: { range: 6 } });
    if (found?.riding.kind !== "table") throw new Error("no table");
    expect([-1, 2, 7].map(found.riding.apply)).toEqual([0, 2, 6]);
  });

  it("end the chain", () => {
    const found = groupOf(`${CONV} m = Mul(c, g)\n r = Relu(m)\n s = Mul(r, half)\n y = Mul(s, g)\n return y`);
    expect(found).toMatchObject({ names: ["m"], output: "m" });
  });

  it.each([
    ["a column of a Gemm", "const w: float32[3,2] = random(1)\n c = Gemm(x, w)", "float32[4,3]", "float32[2]"],
    [
      "a column of a product with weights",
      "const w: float32[3,2] = random(1)\n c = MatMul(x, w)",
      "float32[5,4,3]",
      "float32[1,2]",
    ],
  ])("are %s's", (_, linear, x, g) => {
    const text = `input x: ${x}\n const g: ${g} = [1.0, 2.0]\n ${linear}\n y = Mul(c, g)\n return y`;
    expect(groupOf(text)).toMatchObject({ gains: [1, 2] });
  });

  it.each([
    ["a factor is negative", "const n: float32[2,1,1] = [1.0, -1.0]\n y = Mul(c, n)\n return y"],
    ["a factor is zero", "const n: float32[2,1,1] = [1.0, 0.0]\n y = Mul(c, n)\n return y"],
    ["they lie along another axis", "const n: float32[4,1] = [1.0, 2.0, 3.0, 4.0]\n y = Mul(c, n)\n return y"],
    ["they add an axis", "const n: float32[1,1,2,1,1] = [1.0, 2.0]\n y = Mul(c, n)\n return y"],
    ["something else reads the value", "y = Mul(c, g)\n z = Sqrt(c)\n return y, z"],
    ["they are added", "y = Add(c, g)\n return y"],
  ])("do not ride where %s", (_, rest) => expect(groupOf(`${CONV} ${rest}`)).toBeUndefined());

  it("do not ride on what has no channels", () => {
    const text =
      "input x: float32[1,2,3,3]\n const g: float32[2,1,1] = [1.0, 2.0]\n s = Add(x, x)\n y = Mul(s, g)\n return y";
    expect(groupOf(text)).toBeUndefined();
    const product = "input a: float32[4,3]\n input b: float32[3,2]\n const g: float32[2] = [1.0, 2.0]";
    expect(groupOf(`${product}\n c = MatMul(a, b)\n y = Mul(c, g)\n return y`)).toBeUndefined();
  });
});

async function lower(text: string): Promise<Graph> {
  const float = prepare(text);
  const calibration = { size: 4, feeds: (index: number) => seededFeeds(float, index + 1) };
  return (await runPasses(float, ["quantize/int8", "lower/integer"], { calibration })).graph;
}

describe("in integers factors of channels", () => {
  it("are in the multipliers behind a Relu: one node without a table", async () => {
    const { nodes, constants } = await lower(`${CONV} r = Relu(c)\n y = Mul(r, g)\n return y`);
    expect(nodes.map(({ op, inputs }) => [op, inputs.length])).toEqual([["Conv", 5]]);
    expect(constants.get(nodes[0].inputs[3])?.shape).toEqual([2]);
  });

  it("are exact in the second multipliers behind a table", async () => {
    const { nodes, constants } = await lower(`${CONV} r = Tanh(c)\n y = Mul(r, g)\n return y`);
    expect(nodes.map(({ op, inputs }) => [op, inputs.length])).toEqual([["Conv", 8]]);
    const [multiplier, shift] = [6, 7].map((index) => numbersOf(constants.get(nodes[0].inputs[index]) as Tensor));
    const factors = multiplier.map((m, channel) => m / 2 ** shift[channel]);
    expect(factors[1] / factors[0]).toBeCloseTo(6, 7);
  });
});
