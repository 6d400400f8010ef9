import { intAttr, stringAttr } from "../ir/graph.ts";
import { int64 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { makeType, typeAt } from "./shared/types.ts";
import { elementsOf, fromElements, tensorAt } from "./shared/values.ts";

/**
 * As Python's str.split: without a delimiter at runs of white space; at most `most` splits, the rest stays together. Of
 * nothing there are no parts, as in ONNX Runtime.
 */
function split(text: string, delimiter: string, most: number): string[] {
  const parts: string[] = [];
  let rest = delimiter === "" ? text.trimStart() : text;
  while (parts.length < most) {
    const at = delimiter === "" ? rest.search(/\s/) : rest.indexOf(delimiter);
    if (at < 0) break;
    parts.push(rest.slice(0, at));
    rest = delimiter === "" ? rest.slice(at).trimStart() : rest.slice(at + delimiter.length);
  }
  if (delimiter !== "" || rest !== "") parts.push(rest);
  return text === "" ? [] : parts;
}

/** The parts of each string on a new last axis, filled up with empty strings, and how many there are of each. */
const op: Op = {
  infer(node, inputs) {
    const { shape } = typeAt(node, inputs, 0, ["string"]);
    return [makeType("string", shape && [...shape, "?"]), makeType("int64", shape)];
  },
  evaluate(node, inputs) {
    const text = tensorAt(node, inputs, 0);
    const delimiter = stringAttr(node, "delimiter", "");
    const most = node.attrs.has("maxsplit") ? intAttr(node, "maxsplit", 0) : Number.POSITIVE_INFINITY;
    const parts = Array.from(elementsOf(text) as ArrayLike<string>, (each) => split(each, delimiter, most));
    const width = parts.reduce((longest, list) => Math.max(longest, list.length), 0);
    const filled = parts.flatMap((list) => [...list, ...new Array<string>(width - list.length).fill("")]);
    return [
      fromElements("string", [...text.shape, width], filled),
      int64(
        text.shape,
        parts.map((list) => list.length),
      ),
    ];
  },
};

export default op;
