import { describe, expect, it } from "vitest";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { numbersOf } from "../../src/ir/tensor.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { interpret } from "../../src/run/interpret.ts";
import { createSession } from "../../src/run/ort.ts";
import { withShortRowSums } from "../../src/train/attention.ts";
import { withCausalAttention } from "../../src/train/causal.ts";
import { differentiate } from "../../src/train/differentiate.ts";
import { type GradientCase, graphOf, singleFeedsOf } from "../harness/gradient.ts";
import { APART, ATTENTIONS, byHeads, given, LAYOUT, maskOf, SCORES, SHAPE, TOGETHER } from "./cases/attention.ts";

const LATEST = 21;

const stepOf = (each: GradientCase): Graph =>
  withShortRowSums(differentiate(graphOf(each, "float32"), { loss: "loss", parameters: Object.keys(each.by) }));

const count = (graph: Graph, op: string): number => graph.nodes.filter((node) => node.op === op).length;

describe("causal attention", () => {
  it.each(ATTENTIONS)("$name: one node, the same gradients", async (each) => {
    const plain = stepOf(each);
    const causal = withCausalAttention(plain);
    expect([count(causal, "GroupQueryAttention"), count(causal, "Softmax")]).toEqual([1, 0]);
    const feeds = singleFeedsOf(each);
    const wanted = interpret(plain, feeds);
    const latest = { ...causal, opsets: new Map([...causal.opsets, ["", LATEST]]) };
    const session = await createSession(encodeModel(latest));
    const found = await session.run(feeds);
    await session.release();
    for (const name of plain.outputs) {
      const [a, b] = [wanted, found].map((values) => numbersOf(values.get(name) as Tensor));
      expect(a.some((value) => value !== 0)).toBe(true);
      a.forEach((value, at) => {
        expect(b[at], `${name} ${at}`).toBeCloseTo(value, 5);
      });
    }
  });

  it("takes what was cut in three as it was before, and cuts nothing but the queries for the way back", () => {
    const causal = withCausalAttention(stepOf(TOGETHER));
    const node = causal.nodes.find(({ op }) => op === "GroupQueryAttention");
    expect(node?.inputs.slice(0, 3)).toEqual(["x", "", ""]);
    expect([count(causal, "Split"), count(causal, "Slice")]).toEqual([0, 1]);
  });

  const swap = (from: string, to: string): GradientCase => given("", APART.text.replace(from, to).split("\n"));
  it.each([
    [
      "a mask that lets a place see the next",
      given("", APART.text.split("\n"), { constants: [...LAYOUT, maskOf("0")] }),
    ],
    ["a mask of large numbers", given("", APART.text.split("\n"), { constants: [...LAYOUT, maskOf("-100.0")] })],
    [
      "a mask as a parameter",
      given("", APART.text.split("\n"), { by: { ...APART.by, mask: [5, 5] }, constants: LAYOUT }),
    ],
    [
      "heads of four channels",
      given("", APART.text.split("\n"), { by: { q: [2, 5, 6, 4], k: [2, 5, 6, 4], v: [2, 5, 6, 4] } }),
    ],
    ["no mask", swap("Add(s, mask)", "Add(s, s)")],
    ["another axis", swap("Softmax(m)", "Softmax(m) axis=2")],
    [
      "scores that something else reads",
      given("", [...APART.text.split("\n"), "w = ReduceMax(m) keepdims=0", "z = Mul(y, w)"]),
    ],
    [
      "shares that are multiplied with nothing",
      given("", [...byHeads("q", "k", "v").slice(0, 2), ...SCORES], { by: { q: SHAPE, k: SHAPE } }),
    ],
    [
      "a negative scale",
      given("", APART.text.split("\n"), {
        constants: [...LAYOUT.slice(0, 2), "scale: float64[1] = [-0.5]", maskOf("-inf")],
      }),
    ],
  ])("stays for %s", (_, each) => {
    const plain = stepOf(each);
    expect(withCausalAttention(plain)).toBe(plain);
  });
});
