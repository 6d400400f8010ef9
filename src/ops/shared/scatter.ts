import type { DType, Node } from "../../ir/graph.ts";
import { reject } from "./types.ts";
import type { Element } from "./values.ts";

type Combine = (old: Element, update: Element) => Element;

function pick(old: Element, update: Element, first: boolean): Element {
  // NaN is kept whichever side it comes from.
  if (typeof old === "number" && Number.isNaN(old)) return old;
  if (typeof update === "number" && Number.isNaN(update)) return update;
  return first ? old : update;
}

const COMBINERS = new Map<string, Combine>([
  ["none", (_, update) => update],
  ["add", (a, b) => (typeof a === "bigint" ? a + (b as bigint) : Number(a) + Number(b))],
  ["mul", (a, b) => (typeof a === "bigint" ? a * (b as bigint) : Number(a) * Number(b))],
  ["max", (a, b) => pick(a, b, a > b)],
  ["min", (a, b) => pick(a, b, a < b)],
]);

/** What a scattered update does to the element it meets: the attribute `reduction`. */
export function combinerOf(node: Node, reduction: string, dtype: DType): Combine {
  if (dtype === "string" && reduction !== "none") reject(node, `strings cannot be combined with ${reduction}`);
  return COMBINERS.get(reduction) ?? reject(node, `the reduction ${reduction} is not known`);
}
