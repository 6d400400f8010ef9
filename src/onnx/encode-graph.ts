import { bug } from "../error.ts";
import { type Attr, freshName, type Graph, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { decode } from "./decode.ts";
import { type Extra, extraOf, type NodeExtra } from "./extra.ts";
import {
  ATTRIBUTE,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from "./schema.ts";
import { encodeTensor } from "./tensor.ts";
import { encodeType, sameType } from "./types.ts";
import { memorySource } from "./wire.ts";

export interface EncodeOptions {
  /** Inputs that have an initializer stay inputs, as the file had them. */
  readonly keepInputs: boolean;
  /** Turns a tensor into what stands in the file: whole, or a reference to external data. */
  readonly tensor: (tensor: Tensor, name: string) => TensorProto;
}

/** Graph → GraphProto. Quantized values must have been written out by `withQdq` before. */
export function encodeGraph(graph: Graph, options: EncodeOptions): GraphProto {
  const extra = extraOf(graph);
  const names = new Set<string>();
  const inputs = options.keepInputs ? inputsAsRead(graph, extra) : graph.inputs;
  const own = new Set([...inputs, ...graph.outputs, ...graph.constants.keys(), ""]);
  const values = [...graph.types.keys()].filter((name) => !own.has(name));
  const initializers = [...graph.constants].map(([name, tensor]) => ({
    ...extra?.tensors.get(name),
    ...options.tensor(tensor, name),
  }));
  return {
    ...extra?.graph,
    node: graph.nodes.map((node) => encodeNode(node, nodeExtra(extra, node), names, options)),
    name: graph.name || "graph",
    ...(initializers.length > 0 && { initializer: initializers }),
    input: inputs.map((name) => encodeValue(graph, name, extra)),
    output: graph.outputs.map((name) => encodeValue(graph, name, extra)),
    ...(values.length > 0 && { valueInfo: values.map((name) => encodeValue(graph, name, extra)) }),
  };
}

function nodeExtra(extra: Extra | undefined, node: Node): NodeExtra | undefined {
  const found = extra?.nodes.get(node.outputs.find((name) => name !== "") ?? "");
  return found?.opType === node.op ? found : undefined;
}

/** The file's own list, as long as it still names all of the graph's inputs in their order. */
function inputsAsRead(graph: Graph, extra: Extra | undefined): readonly string[] {
  const listed = extra?.inputs.filter((name) => graph.constants.has(name) || graph.inputs.includes(name)) ?? [];
  const own = listed.filter((name) => !graph.constants.has(name));
  return own.length === graph.inputs.length && own.every((name, index) => name === graph.inputs[index])
    ? listed
    : graph.inputs;
}

function encodeValue(graph: Graph, name: string, extra: Extra | undefined): ValueInfoProto {
  const type = typeOf(graph, name);
  const { typeProto, ...rest } = extra?.values.get(name) ?? {};
  const same = type && typeProto && sameType(type, typeProto.decoded);
  return { name, ...(type && { type: same ? typeProto.proto : encodeType(type) }), ...rest };
}

function encodeNode(node: Node, extra: NodeExtra | undefined, names: Set<string>, options: EncodeOptions): NodeProto {
  // ONNX Runtime refuses two nodes of one name, and several nodes may come from one of the teacher's.
  const name = freshName(node.origin[0] ?? node.outputs[0] ?? node.op, names);
  names.add(name);
  const { attributes, ...rest } = extra ?? {};
  const attribute = [...node.attrs].map(([key, attr]): AttributeProto => {
    const { tensor, ...texts } = attributes?.get(key) ?? {};
    const proto = { ...encodeAttribute(key, attr, options), ...texts };
    return proto.t && tensor ? { ...proto, t: { ...proto.t, ...tensor } } : proto;
  });
  return {
    ...rest,
    input: [...node.inputs],
    output: [...node.outputs],
    name,
    opType: node.op,
    ...(node.domain !== "" && { domain: node.domain }),
    ...(attribute.length > 0 && { attribute }),
  };
}

function encodeAttribute(name: string, attr: Attr, options: EncodeOptions): AttributeProto {
  if ("i" in attr) return { name, type: ATTRIBUTE.INT, i: attr.i };
  if ("f" in attr) return { name, type: ATTRIBUTE.FLOAT, f: attr.f };
  if ("s" in attr) return { name, type: ATTRIBUTE.STRING, s: Buffer.from(attr.s) };
  if ("ints" in attr) return { name, type: ATTRIBUTE.INTS, ints: [...attr.ints] };
  if ("floats" in attr) return { name, type: ATTRIBUTE.FLOATS, floats: [...attr.floats] };
  if ("strings" in attr) {
    return { name, type: ATTRIBUTE.STRINGS, strings: attr.strings.map((text) => Buffer.from(text)) };
  }
  // Tensors in attributes are small and stay in the file: not every reader follows external data there.
  if ("t" in attr) return { name, type: ATTRIBUTE.TENSOR, t: encodeTensor(attr.t) };
  if ("ts" in attr) return { name, type: ATTRIBUTE.TENSORS, tensors: attr.ts.map((tensor) => encodeTensor(tensor)) };
  if ("g" in attr) return { name, type: ATTRIBUTE.GRAPH, g: encodeGraph(attr.g, options) };
  if ("gs" in attr) {
    return { name, type: ATTRIBUTE.GRAPHS, graphs: attr.gs.map((graph) => encodeGraph(graph, options)) };
  }
  if ("raw" in attr) return { ...decode("AttributeProto", memorySource(attr.raw)), name };
  return bug(`attribute ${name} has no kind`);
}
