import { type Attr, elementCount, type Node, type Tensor, type Type } from "./graph.ts";
import { decode } from "./numbers.ts";
import { bytesOf } from "./tensor.ts";
import { parseStatements, type Statement } from "./text/parse.ts";
import { isNumber, type Token } from "./text/scan.ts";
import { parseNumber } from "./text/values.ts";

/** What may stand for a value in a pattern. */
type Slot =
  | { readonly kind: "any" }
  | { readonly kind: "absent" }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "value"; readonly name: string; readonly optional: boolean; readonly constant: boolean };

interface PatternNode {
  readonly domain: string;
  readonly op: string;
  readonly inputs: readonly Slot[];
  readonly outputs: readonly (string | undefined)[];
  readonly attrs: ReadonlyMap<string, Attr>;
}

/** A small graph to look for; the last node is the root, from which matching goes backwards. */
export interface Pattern {
  readonly nodes: readonly PatternNode[];
  /** Which pattern node makes a value. */
  readonly makers: ReadonlyMap<string, number>;
  readonly root: PatternNode;
}

/** What matching asks of the graph as it stands. */
export interface MatchView {
  producer(value: string): Node | undefined;
  /** Reads by nodes, subgraphs, outputs and states. */
  uses(value: string): number;
  constant(value: string): Tensor | undefined;
  type(value: string): Type | undefined;
}

export interface Match {
  readonly values: ReadonlyMap<string, string>;
  /** By the pattern node's index. */
  readonly nodes: ReadonlyMap<number, Node>;
}

const COMMUTATIVE: ReadonlySet<string> = new Set(["Add", "Mul", "And", "Or", "Xor", "Equal", "Max", "Min"]);

/**
 * Reads a pattern in the graph notation. Names that no line makes are captures; `_` is anything, also nothing; `""` is
 * an absent input; `b?` may be absent; a number is a constant of one element with that value, within 1e-6. Captures in
 * `constants` fit constants only.
 */
export function compilePattern(text: string, constants: readonly string[] = []): Pattern {
  const nodes = parseStatements(text).map((statement) => compileStatement(statement, constants));
  const makers = new Map<string, number>();
  for (const [index, node] of nodes.entries()) {
    for (const name of node.outputs) if (name !== undefined) makers.set(name, index);
  }
  const root = nodes.at(-1);
  if (root === undefined) throw new Error("bug: a pattern needs a node");
  return { nodes, makers, root };
}

function compileStatement(
  { domain, op, inputs, outputs, attrs }: Statement,
  constants: readonly string[],
): PatternNode {
  return {
    domain,
    op,
    attrs,
    inputs: inputs.map(({ token, optional }) => slotOf(token, optional, constants.includes(token.text))),
    outputs: outputs.map(({ token }) => (token.text === "_" ? undefined : token.text)),
  };
}

function slotOf(token: Token, optional: boolean, constant: boolean): Slot {
  if (token.kind === "string")
    return token.text === "" ? { kind: "absent" } : { kind: "value", name: token.text, optional, constant };
  if (token.text === "_") return { kind: "any" };
  if (isNumber(token.text)) return { kind: "number", value: parseNumber(token.text) };
  return { kind: "value", name: token.text, optional, constant };
}

/** The state of one attempt; copied where both orders of a commutative operator are tried. */
interface Attempt {
  readonly values: Map<string, string>;
  readonly nodes: Map<number, Node>;
}

/** Matches the pattern with `node` as its root; undefined where it does not fit or something else reads its insides. */
export function matchAt(pattern: Pattern, node: Node, view: MatchView): Match | undefined {
  const attempt = matchNode(pattern, pattern.nodes.length - 1, node, { values: new Map(), nodes: new Map() }, view);
  return attempt !== undefined && isPrivate(pattern, attempt, view) ? attempt : undefined;
}

function matchNode(
  pattern: Pattern,
  index: number,
  node: Node,
  attempt: Attempt,
  view: MatchView,
): Attempt | undefined {
  const wanted = pattern.nodes[index];
  const known = attempt.nodes.get(index);
  if (known !== undefined) return known === node ? attempt : undefined;
  if (node.op !== wanted.op || node.domain !== wanted.domain) return undefined;
  for (const [name, attr] of wanted.attrs) if (!sameAttr(node.attrs.get(name), attr)) return undefined;
  const values = new Map(attempt.values);
  for (const [place, name] of wanted.outputs.entries())
    if (name !== undefined) values.set(name, node.outputs[place] ?? "");
  const next: Attempt = { values, nodes: new Map(attempt.nodes).set(index, node) };
  const straight = matchInputs(pattern, wanted, node, node.inputs, next, view);
  if (straight !== undefined || !COMMUTATIVE.has(node.op) || node.inputs.length !== 2) return straight;
  return matchInputs(pattern, wanted, node, [node.inputs[1], node.inputs[0]], next, view);
}

function matchInputs(
  pattern: Pattern,
  wanted: PatternNode,
  node: Node,
  inputs: readonly string[],
  start: Attempt,
  view: MatchView,
): Attempt | undefined {
  for (const name of inputs.slice(wanted.inputs.length)) if (name !== "") return undefined;
  let attempt: Attempt | undefined = { values: new Map(start.values), nodes: new Map(start.nodes) };
  for (const [place, slot] of wanted.inputs.entries()) {
    attempt = matchSlot(pattern, slot, inputs[place] ?? "", node, attempt, view);
    if (attempt === undefined) return undefined;
  }
  return attempt;
}

function matchSlot(
  pattern: Pattern,
  slot: Slot,
  name: string,
  reader: Node,
  attempt: Attempt,
  view: MatchView,
): Attempt | undefined {
  if (slot.kind === "any") return attempt;
  if (slot.kind === "absent") return name === "" ? attempt : undefined;
  if (slot.kind === "number") return isNumberConstant(slot.value, name, reader, view) ? attempt : undefined;
  const bound = attempt.values.get(slot.name);
  const maker = pattern.makers.get(slot.name);
  if (bound !== undefined && (maker === undefined || attempt.nodes.has(maker)))
    return bound === name ? attempt : undefined;
  if (name === "" && !slot.optional) return undefined;
  if (slot.constant && view.constant(name) === undefined) return undefined;
  attempt.values.set(slot.name, name);
  if (maker === undefined) return attempt;
  const producer = view.producer(name);
  const place = pattern.nodes[maker].outputs.indexOf(slot.name);
  if (producer === undefined || producer.outputs[place] !== name) return undefined;
  return matchNode(pattern, maker, producer, attempt, view);
}

/** One element of that value, and no higher rank than what it is combined with: it must not widen the result. */
function isNumberConstant(value: number, name: string, reader: Node, view: MatchView): boolean {
  const tensor = view.constant(name);
  if (tensor === undefined || tensor.quant !== undefined || tensor.dtype === "string") return false;
  if (elementCount(tensor.shape) !== 1) return false;
  if (tensor.shape.length > 0) {
    const other = reader.inputs.find((input) => input !== name);
    const rank = other === undefined ? undefined : view.type(other)?.shape?.length;
    if (rank === undefined || rank < tensor.shape.length) return false;
  }
  return Math.abs(Number(decode(tensor)[0]) - value) <= 1e-6 * Math.abs(value);
}

/** All that the matched nodes make, the root's outputs aside, is read by matched nodes only, and is not quantized. */
function isPrivate(pattern: Pattern, attempt: Attempt, view: MatchView): boolean {
  const rootIndex = pattern.nodes.length - 1;
  const matched = new Set(attempt.nodes.values());
  if (matched.size !== pattern.nodes.length) return false;
  const inside = new Map<string, number>();
  for (const node of matched) for (const name of node.inputs) inside.set(name, (inside.get(name) ?? 0) + 1);
  for (const [index, node] of attempt.nodes) {
    for (const [place, name] of node.outputs.entries()) {
      if (name === "") continue;
      const named = pattern.nodes[index].outputs[place] !== undefined;
      if (index === rootIndex && named) continue;
      if (view.uses(name) !== (inside.get(name) ?? 0) || view.type(name)?.quant !== undefined) return false;
    }
  }
  return true;
}

function sameAttr(a: Attr | undefined, b: Attr): boolean {
  if (a === undefined) return false;
  if ("i" in b) return "i" in a && Number(a.i) === Number(b.i);
  if ("f" in b) return "f" in a && Math.abs(a.f - b.f) <= 1e-6 * Math.abs(b.f);
  if ("s" in b) return "s" in a && a.s === b.s;
  if ("ints" in b) return "ints" in a && sameList(a.ints.map(Number), b.ints.map(Number));
  if ("floats" in b) return "floats" in a && sameList(a.floats, b.floats);
  if ("strings" in b) return "strings" in a && sameList(a.strings, b.strings);
  if ("t" in b) return "t" in a && a.t.dtype === b.t.dtype && sameList([...bytesOf(a.t)], [...bytesOf(b.t)]);
  throw new Error("bug: patterns do not compare graphs");
}

function sameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
