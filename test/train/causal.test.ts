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

const LATEST = 21;
const PLACES = 5;

const maskOf = (after: string, places = PLACES, shape = `${places},${places}`): string => {
  const values = Array.from({ length: places * places }, (_, at) =>
    at % places > Math.floor(at / places) ? after : "0",
  );
  return `mask: float64[${shape}] = [${values.join(", ")}]`;
};

/** Three heads of eight channels, two texts. */
const SHAPE = [2, PLACES, 3, 8];
const LAYOUT = ["split: int64[4] = [2, 5, 3, 8]", "joined: int64[3] = [2, 5, 24]", "scale: float64[1] = [0.5]"];

const byHeads = (queries: string, keys: string, values: string): string[] => [
  `qh = Transpose(${queries}) perm=[0,2,1,3]`,
  `kt = Transpose(${keys}) perm=[0,2,3,1]`,
  `vh = Transpose(${values}) perm=[0,2,1,3]`,
];
const SCORES = ["qs = Mul(qh, scale)", "s = MatMul(qs, kt)", "m = Add(s, mask)", "p = Softmax(m)"];
const RESULT = ["o = MatMul(p, vh)", "ot = Transpose(o) perm=[0,2,1,3]", "y = Reshape(ot, joined)"];

const given = (name: string, lines: readonly string[], more: Partial<GradientCase> = {}): GradientCase => ({
  name,
  text: lines.join("\n"),
  by: { q: SHAPE, k: SHAPE, v: SHAPE },
  constants: [...LAYOUT, maskOf("-inf")],
  ...more,
});

const APART = given("queries, keys and values by themselves", [...byHeads("q", "k", "v"), ...SCORES, ...RESULT]);
const TOGETHER = given(
  "all three cut from one value",
  [
    "a, b, c = Split(x) axis=2 num_outputs=3",
    ...["a", "b", "c"].map((part) => `${part}4 = Reshape(${part}, split)`),
    ...byHeads("a4", "b4", "c4"),
    ...SCORES,
    ...RESULT,
  ],
  { by: { x: [2, PLACES, 72] } },
);

const CASES: readonly GradientCase[] = [
  APART,
  TOGETHER,
  given("keys and scores that are scaled", [
    ...byHeads("q", "k", "v"),
    "ks = Mul(scale, kt)",
    "s0 = MatMul(qh, ks)",
    "s = Mul(s0, scale)",
    ...SCORES.slice(2),
    ...RESULT,
  ]),
  given("a result and shares that something else reads", [
    ...byHeads("q", "k", "v"),
    ...SCORES,
    ...RESULT,
    "extra = ReduceSum(o) keepdims=0",
    "more = ReduceMax(p) keepdims=0",
    "z = Mul(y, extra)",
    "zz = Mul(z, more)",
  ]),
  given("the mask first, for all heads and texts", APART.text.replace("Add(s, mask)", "Add(mask, s)").split("\n"), {
    constants: [...LAYOUT, maskOf("-inf", PLACES, "1,1,5,5")],
  }),
];

const stepOf = (each: GradientCase): Graph =>
  withShortRowSums(differentiate(graphOf(each, "float32"), { loss: "loss", parameters: Object.keys(each.by) }));

const count = (graph: Graph, op: string): number => graph.nodes.filter((node) => node.op === op).length;

describe("causal attention", () => {
  it.each(CASES)("$name: one node, the same gradients", async (each) => {
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
