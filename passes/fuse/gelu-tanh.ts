import { attrs } from "../../src/ir/graph.ts";
import { rewrite } from "../../src/ir/rewrite.ts";

const CUBES = ["p = Pow(x, 3.0)", "q = Mul(x, x)\n p = Mul(q, x)"];
const TAILS = ["m = Mul(x, a)\n y = Mul(m, 0.5)", "m = Mul(a, 0.5)\n y = Mul(x, m)", "m = Mul(x, 0.5)\n y = Mul(m, a)"];
/** The argument of tanh: √(2/π) · (x + 0.044715 x³), or with x put before the bracket. */
const ARGUMENTS = [
  ...CUBES.map((cube) => `${cube}\n c = Mul(p, 0.044715)\n s = Add(x, c)\n k = Mul(s, 0.7978846)`),
  "q = Mul(x, x)\n c = Mul(q, 0.044715)\n b = Add(c, 1.0)\n r = Mul(x, 0.7978846)\n k = Mul(r, b)",
  "q = Mul(x, x)\n c = Mul(q, 0.044715)\n b = Add(c, 1.0)\n r = Mul(x, b)\n k = Mul(r, 0.7978846)",
];

/** `x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))`: the usual approximation of GELU (arXiv 1606.08415). */
export default rewrite({
  summary: "Makes Gelu of its approximation with Tanh.",
  match: ARGUMENTS.flatMap((head) => TAILS.map((tail) => `${head}\n t = Tanh(k)\n a = Add(t, 1.0)\n ${tail}`)),
  replace: ({ value }) => ({ op: "Gelu", inputs: [value("x")], attrs: attrs({ approximate: { s: "tanh" } }) }),
});
