import { type DType, floatsAttr, intAttr, intsAttr, type Node, stringAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { makeType, reject, requireRank, typeAt } from "./shared/types.ts";
import { elementsOf, fromDoubles, tensorAt } from "./shared/values.ts";

const WORDS: readonly DType[] = ["string", "int32", "int64"];

/** Separates the words of a key. */
const BREAK = "\u0000";

interface Gram {
  /** Where it is counted in the output. */
  readonly column: number;
  readonly weight: number;
}

/** The n-grams of the pool, by length and by their words. */
function gramsOf(node: Node): Map<number, Map<string, Gram>> {
  const strings = node.attrs.get("pool_strings");
  const words = strings && "strings" in strings ? strings.strings : (intsAttr(node, "pool_int64s") ?? []).map(String);
  const starts = intsAttr(node, "ngram_counts") ?? reject(node, "there are no ngram_counts");
  const columns = intsAttr(node, "ngram_indexes") ?? reject(node, "there are no ngram_indexes");
  const weights = floatsAttr(node, "weights");
  const grams = new Map<number, Map<string, Gram>>();
  let next = 0;
  starts.forEach((start, index) => {
    const size = index + 1;
    const end = starts[index + 1] ?? words.length;
    const found = new Map<string, Gram>();
    for (let at = start; at + size <= end; at += size) {
      const column = columns[next] ?? reject(node, "there are more n-grams than ngram_indexes");
      found.set(words.slice(at, at + size).join(BREAK), { column, weight: weights?.[next] ?? 1 });
      next++;
    }
    grams.set(size, found);
  });
  return grams;
}

function widthOf(node: Node): number {
  return 1 + (intsAttr(node, "ngram_indexes") ?? []).reduce((most, column) => Math.max(most, column), -1);
}

function modeOf(node: Node): string {
  const mode = stringAttr(node, "mode", "");
  return ["TF", "IDF", "TFIDF"].includes(mode) ? mode : reject(node, `the mode "${mode}" is not known`);
}

/** Counts of n-grams (TF), their weights where they occur (IDF), or the product: of one row [n], or of each of [rows, n]. */
const op: Op = {
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, WORDS);
    requireRank(node, type, 0, 0, 2);
    modeOf(node);
    if (type.shape === undefined) return [makeType("float32")];
    return [makeType("float32", [...(type.shape.length === 2 ? [type.shape[0]] : []), widthOf(node)])];
  },
  evaluate(node, inputs) {
    const text = tensorAt(node, inputs, 0);
    const grams = gramsOf(node);
    const width = widthOf(node);
    const mode = modeOf(node);
    const [least, most] = [intAttr(node, "min_gram_length", 1), intAttr(node, "max_gram_length", 1)];
    const maxSkip = intAttr(node, "max_skip_count", 0);
    const words = Array.from(elementsOf(text), String);
    const rows = text.shape.length === 2 ? text.shape[0] : 1;
    const length = rows === 0 ? 0 : words.length / rows;
    const result = new Float64Array(rows * width);
    const count = (row: number, size: number, stride: number) => {
      for (let start = 0; start + (size - 1) * stride < length; start++) {
        const key = Array.from({ length: size }, (_, at) => words[row * length + start + at * stride]).join(BREAK);
        const gram = grams.get(size)?.get(key);
        if (gram === undefined) continue;
        const at = row * width + gram.column;
        if (mode === "IDF") result[at] = gram.weight;
        else result[at] += mode === "TF" ? 1 : gram.weight;
      }
    };
    for (let row = 0; row < rows; row++) {
      for (let size = least; size <= most; size++) {
        // A single word has nothing to skip, and is counted once.
        for (let skip = 0; skip <= (size === 1 ? 0 : maxSkip); skip++) count(row, size, skip + 1);
      }
    }
    return [fromDoubles("float32", text.shape.length === 2 ? [rows, width] : [width], result)];
  },
};

export default op;
