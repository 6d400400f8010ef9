import { intsAttr, logical } from "../../src/ir/graph.ts";
import { rewrite } from "../../src/ir/rewrite.ts";

const ELEMENTWISE = ["Add", "Sub", "Mul", "Div", "Max", "Min", "Pow"];

/** `Tᵖ(a) + Tᵖ(b) = Tᵖ(a + b)`: one transposition instead of two, and it may meet another one below. */
export default rewrite({
  summary: "Moves the same transposition of both operands behind the operation.",
  match: ELEMENTWISE.map((op) => `a = Transpose(p)\n b = Transpose(q)\n y = ${op}(a, b)`),
  replace({ value, node, attrs, type, fresh }) {
    const [perm, other] = [intsAttr(node("a"), "perm"), intsAttr(node("b"), "perm")];
    const [rank, output] = [type("p")?.shape?.length, type("y")];
    if (String(perm) !== String(other) || rank === undefined || rank !== type("q")?.shape?.length) return undefined;
    const axes = perm ?? [...Array(rank).keys()].reverse();
    const before = output?.shape?.map((_, axis, shape) => shape[axes.indexOf(axis)]);
    const result = fresh(value("y"), output && before && logical({ ...output, shape: before }));
    return [
      { op: node("y").op, inputs: [value("p"), value("q")], outputs: [result], attrs: attrs("y") },
      { op: "Transpose", inputs: [result], attrs: attrs("a") },
    ];
  },
});
