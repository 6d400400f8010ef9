import { attrs, intAttr, isStatic } from "../../src/ir/graph.ts";
import { rewrite } from "../../src/ir/rewrite.ts";

/** TensorProto.DataType of float32. */
const FLOAT = 1;

/** The chip moves real numbers of 8 and 16 bits, and integers of 64 not at all: what is made real is made so before it is moved. */
export default rewrite({
  summary: "Moves a Cast of integers to real numbers in front of the moves before it.",
  match: [
    `
      y = Reshape(x, shape)
      z = Cast(y)
    `,
    `
      y = Expand(x, shape)
      z = Cast(y)
    `,
    `
      y = Transpose(x)
      z = Cast(y)
    `,
  ],
  replace({ value, node, type, fresh, has, alternative }) {
    const x = type("x");
    if (!x || !/^u?int/.test(x.dtype) || !isStatic(x.shape) || intAttr(node("z"), "to", 0) !== FLOAT) return undefined;
    const real = fresh(`${value("z")}/real`);
    const moved = node("y");
    const inputs = alternative === 2 || !has("shape") ? [real] : [real, value("shape")];
    return [
      { op: "Cast", inputs: [value("x")], outputs: [real], attrs: attrs({ to: { i: FLOAT } }) },
      { op: moved.op, inputs, outputs: [value("z")], attrs: moved.attrs },
    ];
  },
});
