import { intAttr, type Node, stringAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { makeType, reject, requireRank, typeAt } from "./shared/types.ts";
import { elementsOf, fromElements, tensorAt } from "./shared/values.ts";

function caseOf(node: Node): (text: string) => string {
  const action = stringAttr(node, "case_change_action", "NONE");
  if (action === "LOWER") return (text) => text.toLowerCase();
  if (action === "UPPER") return (text) => text.toUpperCase();
  return action === "NONE" ? (text) => text : reject(node, `the case change ${action} is not known`);
}

function stopwordsOf(node: Node): readonly string[] {
  const attr = node.attrs.get("stopwords");
  return attr && "strings" in attr ? attr.strings : [];
}

/** Words [n] or [1, n] without stopwords and in another case. Where none is left, one empty string is. */
const op: Op = {
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, ["string"]);
    requireRank(node, type, 0, 1, 2);
    if (type.shape === undefined) return [type];
    const kept = stopwordsOf(node).length === 0 ? type.shape[type.shape.length - 1] : "?";
    return [makeType("string", type.shape.with(-1, kept))];
  },
  evaluate(node, inputs) {
    const words = tensorAt(node, inputs, 0);
    const change = caseOf(node);
    const sensitive = intAttr(node, "is_case_sensitive", 0) === 1;
    const fold = (text: string) => (sensitive ? text : text.toLowerCase());
    const stopwords = new Set(stopwordsOf(node).map(fold));
    const all = Array.from(elementsOf(words) as ArrayLike<string>);
    const kept = all.filter((word) => !stopwords.has(fold(word))).map(change);
    const result = kept.length === 0 ? [""] : kept;
    return [fromElements("string", words.shape.with(-1, result.length), result)];
  },
};

export default op;
