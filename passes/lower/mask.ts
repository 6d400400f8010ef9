import { attrs } from "../../src/ir/graph.ts";
import { decode, encode } from "../../src/ir/numbers.ts";
import { constant, rewrite } from "../../src/ir/rewrite.ts";

/** e^−128 is far below what any format here can say beside 1. */
const MASKED = -128;
/** Numbers beyond this are meant as −∞. */
const MEANT_AS_NOTHING = -1000;

/**
 * Masks say −∞ (or −10⁴, or the least float) to give a weight of nothing. −128 says the same to a Softmax whose scores are of
 * usual size, and leaves the scale of the codes to the scores.
 */
export default rewrite({
  summary: "Replaces −∞ in a constant mask before a Softmax by a number that leaves room for the scores.",
  match: `
    y = Add(x, mask)
    z = Softmax(y)
  `,
  constants: ["mask"],
  replace({ value, tensor, attrs: attrsOf, fresh }) {
    const mask = tensor("mask");
    if (mask?.dtype !== "float32") return undefined;
    const values = Array.from(decode(mask), Number);
    // A number in between may be a score's own offset: then nothing is known.
    if (!values.some((each) => each < MEANT_AS_NOTHING) || values.some((each) => each > 100)) return undefined;
    if (values.some((each) => each < MASKED && each >= MEANT_AS_NOTHING)) return undefined;
    const data = encode(
      "float32",
      values.map((each) => Math.max(each, MASKED)),
    );
    const sum = fresh(`${value("z")}/masked`);
    return [
      {
        op: "Add",
        inputs: [value("x"), constant({ dtype: "float32", shape: mask.shape, data }, "mask")],
        outputs: [sum],
        attrs: attrs({}),
      },
      { op: "Softmax", inputs: [sum], outputs: [value("z")], attrs: attrsOf("z") },
    ];
  },
});
