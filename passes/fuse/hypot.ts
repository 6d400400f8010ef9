import { attrs, isStatic } from "../../src/ir/graph.ts";
import { constant, type NewNode, rewrite } from "../../src/ir/rewrite.ts";
import { int64 } from "../../src/ir/tensor.ts";

const squares = (of: string, to: string) => [`${to} = Pow(${of}, 2.0)`, `${to} = Mul(${of}, ${of})`];

/** √(a² + b²) is the length of a vector of two: of a spectrogram's real and imaginary parts, say. */
export default rewrite({
  summary: "Makes ReduceL2 of the root of a sum of two squares, over both parts side by side.",
  match: squares("a", "p").flatMap((first) =>
    squares("b", "q").map((second) => `${first}\n ${second}\n s = Add(p, q)\n y = Sqrt(s)`),
  ),
  replace({ value, type, fresh }) {
    const [a, b] = [type("a"), type("b")];
    if (!isStatic(a?.shape) || !isStatic(b?.shape) || a.quant || b.quant) return undefined;
    // What broadcasts or is empty has no place side by side.
    if (String(a.shape) !== String(b.shape) || a.shape.includes(0)) return undefined;
    const shape = [1, ...a.shape];
    const row = constant(int64([shape.length], shape), "row");
    const lead = constant(int64([1], [0]), "axis");
    const part = (name: string): NewNode => ({
      op: "Reshape",
      inputs: [value(name), row],
      outputs: [fresh(`${value(name)}_row`, { dtype: a.dtype, shape })],
    });
    const parts = [part("a"), part("b")];
    const both = fresh(`${value("y")}_parts`, { dtype: a.dtype, shape: [2, ...a.shape] });
    return [
      ...parts,
      {
        op: "Concat",
        inputs: parts.flatMap(({ outputs }) => outputs ?? []),
        outputs: [both],
        attrs: attrs({ axis: { i: 0 } }),
      },
      { op: "ReduceL2", inputs: [both, lead], attrs: attrs({ keepdims: { i: 0 } }) },
    ];
  },
});
