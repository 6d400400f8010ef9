/** Attention under a causal mask, written as networks have it. */
import type { GradientCase } from "../../harness/gradient.ts";

const PLACES = 5;

export const maskOf = (after: string, places = PLACES, shape = `${places},${places}`): string => {
  const values = Array.from({ length: places * places }, (_, at) =>
    at % places > Math.floor(at / places) ? after : "0",
  );
  return `mask: float64[${shape}] = [${values.join(", ")}]`;
};

/** Three heads of eight channels, two texts. */
export const SHAPE = [2, PLACES, 3, 8];
export const LAYOUT = ["split: int64[4] = [2, 5, 3, 8]", "joined: int64[3] = [2, 5, 24]", "scale: float64[1] = [0.5]"];

export const byHeads = (queries: string, keys: string, values: string): string[] => [
  `qh = Transpose(${queries}) perm=[0,2,1,3]`,
  `kt = Transpose(${keys}) perm=[0,2,3,1]`,
  `vh = Transpose(${values}) perm=[0,2,1,3]`,
];
export const SCORES = ["qs = Mul(qh, scale)", "s = MatMul(qs, kt)", "m = Add(s, mask)", "p = Softmax(m)"];
export const RESULT = ["o = MatMul(p, vh)", "ot = Transpose(o) perm=[0,2,1,3]", "y = Reshape(ot, joined)"];

export const given = (name: string, lines: readonly string[], more: Partial<GradientCase> = {}): GradientCase => ({
  name,
  text: lines.join("\n"),
  by: { q: SHAPE, k: SHAPE, v: SHAPE },
  constants: [...LAYOUT, maskOf("-inf")],
  ...more,
});

export const APART: GradientCase = given("queries, keys and values by themselves", [
  ...byHeads("q", "k", "v"),
  ...SCORES,
  ...RESULT,
]);
export const TOGETHER: GradientCase = given(
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

export const ATTENTIONS: readonly GradientCase[] = [
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

/** Heads of 32 channels between products that are wide enough for blocks. */
export const PROJECTED: GradientCase = {
  name: "between projections",
  text: [
    "h = MatMul(x, w)",
    "hb = Add(h, b)",
    "p0, p1, p2 = Split(hb) axis=2 num_outputs=3",
    ...["p0", "p1", "p2"].map((part) => `${part}4 = Reshape(${part}, apart)`),
    ...byHeads("p04", "p14", "p24"),
    ...SCORES,
    ...RESULT,
    "z = MatMul(y, v)",
  ].join("\n"),
  by: { x: [2, 40, 64], w: [64, 192], b: [192], v: [64, 64] },
  constants: [
    "apart: int64[4] = [2, 40, 2, 32]",
    "joined: int64[3] = [2, 40, 64]",
    "scale: float64[1] = [0.2]",
    maskOf("-inf", 40),
  ],
};
