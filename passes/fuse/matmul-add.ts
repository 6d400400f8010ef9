import { rewrite } from "../../src/ir/rewrite.ts";

/** Gemm is `A·B + C` for matrices; for more dimensions MatMul and Add stay two, and lowering makes one command of them. */
export default rewrite({
  summary: "Makes one Gemm of a MatMul of two matrices and the Add after it.",
  match: "y = MatMul(a, b)\n z = Add(y, c)",
  replace({ value, type }) {
    const [a, b, c, y] = [type("a"), type("b"), type("c"), type("y")].map((each) => each?.shape);
    if (a?.length !== 2 || b?.length !== 2 || c === undefined || c.length > 2 || y === undefined) return undefined;
    const fits = c.every((dim, axis) => dim === 1 || (dim !== "?" && dim === y[axis + 2 - c.length]));
    return fits ? { op: "Gemm", inputs: [value("a"), value("b"), value("c")] } : undefined;
  },
});
