import type { Attr, Graph, Node, State, Tensor, Type } from "../graph.ts";
import { printFloatAttr, printName, printTensorValue, printType, type TensorSink } from "./values.ts";

export interface PrintOptions {
  /** Large tensors are appended here and printed as `data(INDEX)`: nothing is lost. Without it they are a digest. */
  tensors?: Tensor[];
  /** Types of computed values; true unless said otherwise. */
  types?: boolean;
  /** `# origin:` comments; true unless said otherwise. */
  origins?: boolean;
}

interface Printer extends PrintOptions {
  readonly sink: TensorSink | undefined;
  readonly short: boolean;
}

/** The graph in the notation of `text.ts`. The same graph gives the same text; `parse` gives the graph back. */
export function print(graph: Graph, options: PrintOptions = {}): string {
  const { tensors } = options;
  const sink = tensors === undefined ? undefined : sinkInto(tensors);
  return `${printBody(graph, { ...options, sink, short: sink === undefined }).join("\n")}\n`;
}

function sinkInto(tensors: Tensor[]): TensorSink {
  const places = new Map(tensors.map((tensor, index) => [tensor, index]));
  return {
    add(tensor) {
      let place = places.get(tensor);
      if (place === undefined) {
        place = tensors.push(tensor) - 1;
        places.set(tensor, place);
      }
      return place;
    },
  };
}

function printBody(graph: Graph, printer: Printer): string[] {
  const lines: string[] = [];
  const header = printHeader(graph);
  if (header !== undefined) lines.push(header);
  for (const key of [...graph.metadata.keys()].sort()) {
    lines.push(`metadata ${JSON.stringify(key)} = ${JSON.stringify(graph.metadata.get(key))}`);
  }
  for (const name of graph.inputs) lines.push(`input ${printTyped(name, graph.types.get(name), printer)}`);
  for (const [name, tensor] of graph.constants) {
    const type = printType(tensor, printer.short);
    lines.push(`const ${printName(name)}: ${type} = ${printTensorValue(tensor, printer.sink)}`);
  }
  for (const state of graph.states) lines.push(printState(state, graph, printer));
  for (const node of graph.nodes) lines.push(...printNode(node, graph, printer));
  if (graph.outputs.length > 0) lines.push(`return ${graph.outputs.map(printName).join(", ")}`);
  return lines;
}

function printHeader(graph: Graph): string | undefined {
  const isDefault = graph.opsets.size === 1 && graph.opsets.get("") === 21;
  if (isDefault && graph.name === "") return undefined;
  const parts = ["graph"];
  if (graph.name !== "") parts.push(graph.name === "opset" ? '"opset"' : printName(graph.name));
  if (!isDefault) {
    const opsets = [...graph.opsets.keys()].sort().map((domain) => {
      const version = graph.opsets.get(domain);
      return domain === "" ? `${version}` : `${printDomain(domain)} ${version}`;
    });
    parts.push("opset", opsets.length === 0 ? "none" : opsets.join(", "));
  }
  return parts.join(" ");
}

function printDomain(domain: string): string {
  return /^[a-z][a-z0-9.]*$/i.test(domain) && domain !== "none" ? domain : JSON.stringify(domain);
}

function printTyped(name: string, type: Type | undefined, printer: Printer): string {
  return type === undefined ? printName(name) : `${printName(name)}: ${printType(type, printer.short)}`;
}

function printState(state: State, graph: Graph, printer: Printer): string {
  const type = printType(state.init, printer.short);
  const input = graph.types.get(state.input);
  const known = input !== undefined && printType(input, printer.short) === type;
  const target = known ? printName(state.input) : `${printName(state.input)}: ${type}`;
  return `state ${printName(state.output)} -> ${target} = ${printTensorValue(state.init, printer.sink)}`;
}

/** `a, _ = Split(x) axis=1` with its attributes by name; subgraphs take further lines. */
export function printNode(node: Node, graph: Graph, printer: Printer): string[] {
  const outputs = node.outputs.map((name) => {
    if (name === "") return "_";
    return printTyped(name, printer.types === false ? undefined : graph.types.get(name), printer);
  });
  const inputs = node.inputs.map((name) => (name === "" ? "_" : printName(name)));
  const lines = [`${outputs.join(", ")} = ${printOperator(node)}(${inputs.join(", ")})`.trimStart()];
  for (const name of [...node.attrs.keys()].sort()) {
    const [first, ...more] = printAttr(node.attrs.get(name) as Attr, printer);
    lines[lines.length - 1] += ` ${printName(name)}=${first}`;
    lines.push(...more);
  }
  if (printer.origins !== false && node.origin.length > 0) {
    lines[lines.length - 1] += `  # origin: ${node.origin.map(printName).join(", ")}`;
  }
  return lines;
}

function printOperator({ domain, op }: Node): string {
  const plain = /^[A-Za-z0-9_]+$/.test(op) && /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/.test(domain);
  if (!plain) return JSON.stringify(`${domain}::${op}`);
  return domain === "" ? op : `${domain}.${op}`;
}

function printAttr(attr: Attr, printer: Printer): string[] {
  if ("i" in attr) return [String(attr.i)];
  if ("f" in attr) return [printFloatAttr(attr.f)];
  if ("s" in attr) return [JSON.stringify(attr.s)];
  if ("ints" in attr) return [`[${attr.ints.join(",")}]`];
  if ("floats" in attr)
    return [attr.floats.length === 0 ? "floats[]" : `[${attr.floats.map(printFloatAttr).join(",")}]`];
  if ("strings" in attr) {
    return [
      attr.strings.length === 0 ? "strings[]" : `[${attr.strings.map((text) => JSON.stringify(text)).join(",")}]`,
    ];
  }
  if ("t" in attr) return [`tensor(${printTensor(attr.t, printer)})`];
  if ("ts" in attr) return [`tensors(${attr.ts.map((tensor) => printTensor(tensor, printer)).join(", ")})`];
  if ("g" in attr) return printGraphAttr(attr.g, printer);
  if ("gs" in attr) return printGraphsAttr(attr.gs, printer);
  return [`raw(${JSON.stringify(Buffer.from(attr.raw).toString("base64"))})`];
}

function printTensor(tensor: Tensor, printer: Printer): string {
  return `${printType(tensor, printer.short)} = ${printTensorValue(tensor, printer.sink)}`;
}

function printGraphAttr(graph: Graph, printer: Printer): string[] {
  return ["{", ...printBody(graph, printer).map((line) => `  ${line}`), "}"];
}

function printGraphsAttr(graphs: readonly Graph[], printer: Printer): string[] {
  const lines = ["graphs("];
  for (const [index, graph] of graphs.entries()) {
    const [first, ...more] = printGraphAttr(graph, printer);
    lines[lines.length - 1] += index === 0 ? first : `, ${first}`;
    lines.push(...more);
  }
  lines[lines.length - 1] += ")";
  return lines;
}
