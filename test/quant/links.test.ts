import { describe, expect, it } from "vitest";
import { findLinks } from "../../src/quant/links.ts";
import { prepare } from "../harness/pass.ts";

const WEIGHTS = `
  const w: float32[4,4,1,1] = random(1)
  const d: float32[4,1,3,3] = random(2)
  const g: float32[4,3] = random(3)
  const lo: float32[] = 0
  const hi: float32[] = 6`;

interface Case {
  readonly says: string;
  readonly text: string;
  /** Of each link: what convolutions make, what is stored, what reads. */
  readonly links: readonly { readonly made: string[]; readonly values: string[]; readonly readers: string[] }[];
}

const CASES: readonly Case[] = [
  {
    says: "one convolution behind another, over a function that rides",
    text: "c = Conv(x, w)\n  h = HardSwish(c)\n  y = Conv(h, w)\n  return y",
    links: [{ made: ["h"], values: ["h"], readers: ["y"] }],
  },
  {
    says: "all that meet in sums",
    text: "a = Conv(x, w)\n  p = Relu(a)\n  b = Conv(p, w)\n  s = Add(b, p)\n  r = Relu(s)\n  c = Conv(r, w)\n  t = Add(c, r)\n  y = Conv(t, w)\n  return y",
    links: [{ made: ["p", "b", "c"], values: ["p", "b", "r", "c", "t"], readers: ["b", "c", "y"] }],
  },
  {
    says: "what pools make, down to a product",
    text: "a = Conv(x, w)\n  m = MaxPool(a) kernel_shape=[2,2] strides=[2,2]\n  p = GlobalAveragePool(m)\n  f = Flatten(p)\n  y = Gemm(f, g)\n  return y",
    links: [{ made: ["a"], values: ["a", "m", "p", "f"], readers: ["y"] }],
  },
  {
    says: "a gated value, whose gate is what it was",
    text: "a = Conv(x, d) group=4 pads=[1,1,1,1]\n  p = GlobalAveragePool(a)\n  q = Conv(p, w)\n  s = Sigmoid(q)\n  m = Mul(a, s)\n  y = Conv(m, w)\n  return y",
    links: [{ made: ["a"], values: ["a", "p", "m"], readers: ["q", "y"] }],
  },
  {
    says: "no sum with what is not a convolution's",
    text: "a = Conv(x, w)\n  s = Add(a, x)\n  y = Conv(s, w)\n  return y",
    links: [],
  },
  {
    says: "nothing that another function reads, on any way",
    text: "a = Conv(x, w)\n  b = Conv(a, w)\n  s = Add(a, b)\n  t = Sigmoid(s)\n  y = Conv(t, w)\n  return y",
    links: [],
  },
  {
    says: "nothing that is clipped at a number",
    text: "a = Conv(x, w)\n  r = Clip(a, lo, hi)\n  y = Conv(r, w)\n  return y",
    links: [],
  },
  {
    says: "no output",
    text: "a = Conv(x, w)\n  y = Conv(a, w)\n  return y, a",
    links: [],
  },
];

describe("links of channels", () => {
  it.each(CASES)("$says", ({ text, links }) => {
    const graph = prepare(`  input x: float32[1,4,6,6]${WEIGHTS}\n  ${text}`);
    const found = findLinks(graph).map(({ made, values, readers }) => ({
      ...{ made, values },
      readers: readers.map(({ node }) => node.outputs[0]),
    }));
    expect(found).toEqual(links);
  });
});
