import { fromReals, realsOf } from "../../src/ir/channels.ts";
import { constant, rewrite } from "../../src/ir/rewrite.ts";

/** `relu(x) + s·relu(−x)` is x above 0 and `−s·x` below; `max(x, a·x)` is x above 0 and `a·x` below where 0 ≤ a ≤ 1. */
export default rewrite({
  summary: "Makes PRelu of its forms with Relu and Neg, or with Max.",
  constants: ["s"],
  match: [
    "p = Relu(x)\n n = Neg(x)\n r = Relu(n)\n m = Mul(r, s)\n y = Add(p, m)",
    "p = Relu(x)\n n = Neg(x)\n r = Relu(n)\n m = Mul(r, s)\n y = Sub(p, m)",
    "m = Mul(x, s)\n y = Max(x, m)",
  ],
  replace({ value, tensor, type, alternative }) {
    const slope = tensor("s");
    const values = slope && realsOf(slope);
    const rank = type("x")?.shape?.length;
    if (!slope || !values || rank === undefined || slope.shape.length > rank) return undefined;
    if (alternative === 2 && !values.every((each) => each >= 0 && each <= 1)) return undefined;
    // PRelu's slope may not widen x.
    const shape = type("x")?.shape ?? [];
    const fits = slope.shape.every((dim, axis) => dim === 1 || dim === shape[axis + rank - slope.shape.length]);
    if (!fits) return undefined;
    const below = alternative === 0 ? values.map((each) => -each) : values;
    return { op: "PRelu", inputs: [value("x"), constant(fromReals(slope.dtype, slope.shape, below), "s")] };
  },
});
