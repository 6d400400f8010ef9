import { attrs } from "../../src/ir/graph.ts";
import { rewrite } from "../../src/ir/rewrite.ts";

const HEADS = ["d = Div(x, 1.4142135)", "d = Mul(x, 0.70710677)"];
const TAILS = [
  "m = Mul(x, a)\n y = Mul(m, 0.5)",
  "m = Mul(a, 0.5)\n y = Mul(x, m)",
  "m = Mul(x, 0.5)\n y = Mul(m, a)",
  "m = Mul(x, a)\n y = Div(m, 2.0)",
];

/** `x/2 · (1 + erf(x/√2))`: the Gaussian error linear unit by its definition (arXiv 1606.08415). */
export default rewrite({
  summary: "Makes Gelu of its definition with Erf.",
  match: HEADS.flatMap((head) => TAILS.map((tail) => `${head}\n e = Erf(d)\n a = Add(e, 1.0)\n ${tail}`)),
  replace: ({ value }) => ({ op: "Gelu", inputs: [value("x")], attrs: attrs({ approximate: { s: "none" } }) }),
});
