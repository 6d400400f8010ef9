import {
  type Attr,
  type Attrs,
  type Graph,
  makeGraph,
  type Node,
  type State,
  type Tensor,
  type Type,
} from "../graph.ts";
import { isNumber, Scanner, type Token } from "./scan.ts";
import { parseNumber, parseSeparated, parseTensorValue, parseType } from "./values.ts";

const DEPTH = 64;

/**
 * One `outputs = Op(inputs) attributes` line as it was written: patterns need to see which names had quotes, and which
 * inputs are followed by a `?`, which only patterns have.
 */
export interface Statement {
  readonly outputs: readonly { readonly token: Token; readonly type: Type | undefined }[];
  readonly domain: string;
  readonly op: string;
  readonly inputs: readonly { readonly token: Token; readonly optional: boolean }[];
  readonly attrs: Attrs;
  readonly origin: readonly string[];
  readonly line: number;
}

/** Reads the notation of `text.ts`; `tensors` are what `data(INDEX)` means. Throws CompileError("model/graph-text"). */
export function parse(text: string, tensors: readonly Tensor[] = []): Graph {
  const scanner = new Scanner(text);
  const graph = parseBody(scanner, tensors, 0);
  if (scanner.peek().kind !== "end") scanner.fail(`"${scanner.peek().text}" stands after the graph`);
  return graph;
}

/** The node lines of a pattern: no header, inputs, constants or `return`. */
export function parseStatements(text: string): Statement[] {
  const scanner = new Scanner(text);
  const statements: Statement[] = [];
  for (scanner.skipLines(); scanner.peek().kind !== "end"; scanner.skipLines()) {
    statements.push(parseStatement(scanner, undefined, [], 0, true));
  }
  return statements;
}

type Draft = {
  -readonly [Key in keyof Omit<Graph, "extra">]: Graph[Key] extends ReadonlyMap<infer K, infer V>
    ? Map<K, V>
    : Graph[Key] extends readonly (infer Item)[]
      ? Item[]
      : Graph[Key];
};

function parseBody(scanner: Scanner, tensors: readonly Tensor[], depth: number): Graph {
  if (depth > DEPTH) scanner.fail(`graphs are nested deeper than ${DEPTH}`);
  const draft = makeGraph({ inputs: [], outputs: [], nodes: [] }) as Draft;
  draft.constants = new Map();
  draft.types = new Map();
  for (scanner.skipLines(); !atEnd(scanner); scanner.skipLines()) parseLine(scanner, draft, tensors, depth);
  return draft;
}

function atEnd(scanner: Scanner): boolean {
  const token = scanner.peek();
  return token.kind === "end" || (token.kind === "mark" && token.text === "}");
}

function parseLine(scanner: Scanner, draft: Draft, tensors: readonly Tensor[], depth: number): void {
  const first = scanner.peek();
  if (first.kind === "word" && KEYWORDS.has(first.text)) {
    scanner.take();
    const next = scanner.peek();
    const named = next.kind === "word" || next.kind === "string";
    if (named) parseKeyword(scanner, first.text, draft, tensors);
    else addNode(draft, parseStatement(scanner, first, tensors, depth));
  } else addNode(draft, parseStatement(scanner, undefined, tensors, depth));
  if (scanner.peek().kind !== "line" && !atEnd(scanner)) scanner.fail(`did not expect "${scanner.peek().text}"`);
}

const KEYWORDS: ReadonlySet<string> = new Set(["graph", "metadata", "input", "const", "state", "return"]);

function parseKeyword(scanner: Scanner, keyword: string, draft: Draft, tensors: readonly Tensor[]): void {
  if (keyword === "graph") parseHeader(scanner, draft);
  else if (keyword === "metadata") {
    const key = scanner.name("a key");
    scanner.expect("=");
    draft.metadata.set(key, scanner.name("a string"));
  } else if (keyword === "input") {
    const name = scanner.name("an input's name");
    draft.inputs.push(name);
    if (scanner.skip(":")) draft.types.set(name, parseType(scanner));
  } else if (keyword === "const") {
    const name = scanner.name("a constant's name");
    if (draft.constants.has(name)) scanner.fail(`the constant "${name}" is made twice`);
    scanner.expect(":");
    const type = parseType(scanner);
    scanner.expect("=");
    draft.constants.set(name, parseTensorValue(scanner, type, tensors));
  } else if (keyword === "state") draft.states.push(parseState(scanner, draft, tensors));
  else {
    do draft.outputs.push(scanner.name("an output's name"));
    while (scanner.skip(","));
  }
}

function parseHeader(scanner: Scanner, draft: Draft): void {
  const first = scanner.peek();
  if (first.kind === "string" || first.text !== "opset") draft.name = scanner.name("the graph's name");
  if (!scanner.skip("opset")) return;
  draft.opsets = new Map();
  if (scanner.skip("none")) return;
  do {
    const token = scanner.take();
    const plain = token.kind === "word" && /^\d+$/.test(token.text);
    const version = plain ? token : scanner.take();
    if (!/^\d+$/.test(version.text)) scanner.fail("an opset needs its version", version);
    draft.opsets.set(plain ? "" : token.text, Number(version.text));
  } while (scanner.skip(","));
}

function parseState(scanner: Scanner, draft: Draft, tensors: readonly Tensor[]): State {
  const output = scanner.name("the state's output");
  scanner.expect("->");
  const input = scanner.name("the state's input");
  const type = scanner.skip(":") ? parseType(scanner) : draft.types.get(input);
  if (type === undefined) return scanner.fail(`the type of the state "${input}" is not known`);
  scanner.expect("=");
  return { input, output, init: parseTensorValue(scanner, type, tensors) };
}

function addNode(draft: Draft, statement: Statement): void {
  const { op, domain, attrs, origin } = statement;
  const outputs = statement.outputs.map(({ token }) => valueName(token));
  const inputs = statement.inputs.map(({ token }) => valueName(token));
  for (const { token, type } of statement.outputs) if (type !== undefined) draft.types.set(token.text, type);
  const node: Node = { op, domain, inputs, outputs, attrs, origin };
  draft.nodes.push(node);
}

function valueName(token: Token): string {
  return token.kind === "word" && token.text === "_" ? "" : token.text;
}

/** `first` was already taken, to see that it was no keyword. */
function parseStatement(
  scanner: Scanner,
  first: Token | undefined,
  tensors: readonly Tensor[],
  depth: number,
  isPattern = false,
): Statement {
  const { line } = first ?? scanner.peek();
  const outputs: { token: Token; type: Type | undefined }[] = [];
  if (first !== undefined || scanner.peek().text !== "=" || scanner.peek().kind !== "mark") {
    let token = first ?? nameToken(scanner);
    for (;;) {
      outputs.push({ token, type: scanner.skip(":") ? parseType(scanner) : undefined });
      if (!scanner.skip(",")) break;
      token = nameToken(scanner);
    }
  }
  scanner.expect("=");
  const { domain, op } = parseOperator(scanner);
  scanner.expect("(");
  const inputs = parseSeparated(scanner, ")", () => {
    const token = nameToken(scanner);
    return { token, optional: isPattern && scanner.skip("?") };
  });
  const attrs = new Map<string, Attr>();
  for (let next = scanner.peek(); next.kind === "word" || next.kind === "string"; next = scanner.peek()) {
    const name = scanner.name("an attribute");
    scanner.expect("=");
    attrs.set(name, parseAttr(scanner, tensors, depth));
  }
  const origin: string[] = [];
  if (scanner.peek().kind === "origin") {
    scanner.take();
    do origin.push(scanner.name("a node's name"));
    while (scanner.skip(","));
  }
  return { outputs, domain, op, inputs, attrs, origin, line };
}

function nameToken(scanner: Scanner): Token {
  const token = scanner.take();
  return token.kind === "word" || token.kind === "string" ? token : scanner.fail("expected a value's name", token);
}

function parseOperator(scanner: Scanner): { domain: string; op: string } {
  const token = nameToken(scanner);
  const separator = token.kind === "string" ? "::" : ".";
  const at = token.kind === "string" ? token.text.indexOf(separator) : token.text.lastIndexOf(separator);
  if (at < 0) return { domain: "", op: token.text };
  return { domain: token.text.slice(0, at), op: token.text.slice(at + separator.length) };
}

function parseAttr(scanner: Scanner, tensors: readonly Tensor[], depth: number): Attr {
  const token = scanner.take();
  if (token.kind === "string") return { s: token.text };
  if (token.text === "{") return { g: parseSubgraph(scanner, tensors, depth) };
  if (token.text === "[") return parseListAttr(scanner);
  if (isNumber(token.text)) {
    return isInteger(token.text) ? { i: integerOf(token.text) } : { f: Math.fround(parseNumber(token.text)) };
  }
  switch (token.text) {
    case "floats":
    case "strings":
      scanner.expect("[");
      scanner.expect("]");
      return token.text === "floats" ? { floats: [] } : { strings: [] };
    case "tensor":
    case "tensors": {
      scanner.expect("(");
      const found = parseSeparated(scanner, ")", () => {
        const type = parseType(scanner);
        scanner.expect("=");
        return parseTensorValue(scanner, type, tensors);
      });
      return token.text === "tensors" || found.length !== 1 ? { ts: found } : { t: found[0] };
    }
    case "graphs":
      scanner.expect("(");
      return {
        gs: parseSeparated(scanner, ")", () => {
          scanner.expect("{");
          return parseSubgraph(scanner, tensors, depth);
        }),
      };
    case "raw": {
      scanner.expect("(");
      const bytes = Buffer.from(scanner.name("base64 in quotes"), "base64");
      scanner.expect(")");
      return { raw: new Uint8Array(bytes) };
    }
    default:
      return scanner.fail(`"${token.text}" is no attribute`, token);
  }
}

function parseSubgraph(scanner: Scanner, tensors: readonly Tensor[], depth: number): Graph {
  const graph = parseBody(scanner, tensors, depth + 1);
  scanner.expect("}");
  return graph;
}

function parseListAttr(scanner: Scanner): Attr {
  const items = parseSeparated(scanner, "]", () => scanner.take());
  if (items.length > 0 && items[0].kind === "string") return { strings: items.map(({ text }) => text) };
  const odd = items.find(({ kind, text }) => kind !== "word" || !isNumber(text));
  if (odd !== undefined) return scanner.fail("expected a number", odd);
  if (items.every(({ text }) => isInteger(text))) return { ints: items.map(({ text }) => integerOf(text)) };
  return { floats: items.map(({ text }) => Math.fround(parseNumber(text))) };
}

function isInteger(text: string): boolean {
  return /^[+-]?\d+$/.test(text);
}

function integerOf(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}
