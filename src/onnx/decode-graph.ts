import { CompileError } from "../error.ts";
import type { Attr, Graph, Node, Tensor, Type } from "../ir/graph.ts";
import { freshName } from "../ir/graph.ts";
import { decodeAttribute } from "./attributes.ts";
import { type AttributeExtra, type Extra, type NodeExtra, pick, type TensorExtra, type ValueExtra } from "./extra.ts";
import type { AttributeProto, FunctionProto, GraphProto, NodeProto, TensorProto, ValueInfoProto } from "./schema.ts";
import { decodeTensor, densify, type OpenExternal } from "./tensor.ts";
import { decodeType, saysMore } from "./types.ts";

/** What all graphs of a model share while it is decoded. */
export interface ModelContext {
  readonly open: OpenExternal | undefined;
  /** By `functionKey`. */
  readonly functions: ReadonlyMap<string, FunctionProto>;
  /** Every value name of the model, so that inlined functions get names of their own. */
  readonly taken: Set<string>;
  nodesLeft: number;
  tensorsLeft: number;
}

/** Inside an inlined function: its values under their caller's names, and its attributes. */
interface Frame {
  readonly names: Map<string, string>;
  readonly prefix: string;
  readonly attributes: ReadonlyMap<string, Attr>;
  readonly calls: readonly string[];
}

export const MAX_NODES = 500_000;
export const MAX_TENSORS = 500_000;
const MAX_CALLS = 100;

export function functionKey(domain: string, name: string, overload: string): string {
  return JSON.stringify([domain, name, overload]);
}

/** "ai.onnx" is another way to write ONNX's own domain. */
export function canonicalDomain(domain: string | undefined): string {
  return domain === undefined || domain === "ai.onnx" ? "" : domain;
}

/** GraphProto → Graph with its nodes in the file's order. Names and order are checked by `ordered`. */
export function decodeGraph(proto: GraphProto, model: ModelContext, frame?: Frame): Graph {
  const types = new Map<string, Type>();
  const values = new Map<string, ValueExtra>();
  const constants = new Map<string, Tensor>();
  const tensors = new Map<string, TensorExtra>();

  const rename = (name: string) => renamed(name, frame, model);
  for (const tensor of proto.initializer ?? []) {
    const name = rename(tensor.name ?? "");
    addConstant(constants, name, readTensor(tensor, `initializer ${quote(name)}`, model));
    const extra = pick(tensor, ["docString", "metadataProps", "unknown"]);
    if (extra) tensors.set(name, extra);
  }
  for (const sparse of proto.sparseInitializer ?? []) {
    const name = rename(sparse.values?.name ?? "");
    addConstant(constants, name, densify(sparse, `sparse initializer ${quote(name)}`, model.open));
  }

  const declare = (info: ValueInfoProto): string => {
    const name = rename(info.name ?? "");
    const type = decodeType(info.type, `value ${quote(name)}`);
    if (type) types.set(name, type);
    const extra = pick(info, ["docString", "metadataProps", "unknown"]);
    const typeProto = info.type && type && saysMore(info.type, type) && { proto: info.type, decoded: type };
    if (extra || typeProto) values.set(name, { ...extra, ...(typeProto && { typeProto }) });
    return name;
  };
  const inputs = (proto.input ?? []).map(declare);
  const outputs = (proto.output ?? []).map(declare);
  for (const info of proto.valueInfo ?? []) declare(info);
  for (const name of constants.keys()) types.delete(name);

  const nodes: Node[] = [];
  const nodeExtras = new Map<string, NodeExtra>();
  for (const node of proto.node ?? []) decodeNode(node, model, frame, nodes, nodeExtras);

  const extra: Extra = {
    graph: pick(proto, ["docString", "quantizationAnnotation", "metadataProps", "unknown"]) ?? {},
    inputs,
    values,
    tensors,
    nodes: nodeExtras,
  };
  return {
    name: proto.name ?? "",
    inputs: inputs.filter((name) => !constants.has(name)),
    outputs,
    nodes,
    constants,
    types,
    states: [],
    opsets: new Map(),
    metadata: new Map(),
    extra,
  };
}

function readTensor(proto: TensorProto, where: string, model: ModelContext): Tensor {
  if (--model.tensorsLeft < 0) throw tooMany("tensors", MAX_TENSORS);
  return decodeTensor(proto, where, model.open);
}

function addConstant(constants: Map<string, Tensor>, name: string, tensor: Tensor): void {
  if (name === "") throw new CompileError("model/no-name", "an initializer has no name");
  if (constants.has(name)) {
    throw new CompileError("model/duplicate-name", `the initializer ${quote(name)} is there twice`);
  }
  constants.set(name, tensor);
}

function tooMany(what: string, limit: number): CompileError {
  return new CompileError("model/budget", `the model has more than ${limit} ${what}`, {
    remedy: "this is not a model that a neural network exporter writes; simplify it before import",
  });
}

/** A name from a file as it may stand in a message: no control characters, no change of writing direction. */
export function quote(name: string): string {
  return JSON.stringify(name).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function renamed(name: string, frame: Frame | undefined, model: ModelContext): string {
  if (frame === undefined || name === "") return name;
  const known = frame.names.get(name);
  if (known !== undefined) return known;
  const fresh = freshName(`${frame.prefix}/${name}`, model.taken);
  model.taken.add(fresh);
  frame.names.set(name, fresh);
  return fresh;
}

function decodeNode(
  proto: NodeProto,
  model: ModelContext,
  frame: Frame | undefined,
  into: Node[],
  extras: Map<string, NodeExtra>,
): void {
  if (--model.nodesLeft < 0) throw tooMany("nodes", MAX_NODES);
  const rename = (name: string) => renamed(name, frame, model);
  const inputs = (proto.input ?? []).map(rename);
  const outputs = (proto.output ?? []).map(rename);
  const op = proto.opType ?? "";
  const domain = canonicalDomain(proto.domain);
  const first = outputs.find((name) => name !== "") ?? "";
  const own = proto.name || first;
  const label = frame ? `${frame.prefix}/${proto.name || op}` : own;
  const where = `node ${quote(label)}`;
  if (op === "") throw new CompileError("model/no-operator", "a node names no operator", { where });

  const attributes = new Map<string, Attr>();
  const attributeExtras = new Map<string, AttributeExtra>();
  for (const attribute of proto.attribute ?? []) {
    const name = attribute.name ?? "";
    if (attributes.has(name)) {
      throw new CompileError("model/duplicate-attribute", `the attribute ${quote(name)} is there twice`, { where });
    }
    const attr = readAttribute(attribute, where, model, frame);
    if (attr) attributes.set(name, attr);
    const extra = pick(attribute, ["docString", "unknown"]);
    const tensor = attribute.t && pick(attribute.t, ["name", "docString", "metadataProps", "unknown"]);
    if (extra || tensor) attributeExtras.set(name, { ...extra, ...(tensor && { tensor }) });
  }

  const called = model.functions.get(functionKey(domain, op, proto.overload ?? ""));
  if (called) {
    inline(called, { inputs, outputs, attributes, label, calls: frame?.calls ?? [] }, model, into, extras);
    return;
  }
  const extra = pick(proto, ["docString", "overload", "metadataProps", "deviceConfigurations", "unknown"]);
  if (extra || attributeExtras.size > 0) {
    extras.set(first, { ...extra, opType: op, ...(attributeExtras.size > 0 && { attributes: attributeExtras }) });
  }
  into.push({ op, domain, inputs, outputs, attrs: attributes, origin: [label] });
}

/** A reference is replaced by the caller's attribute or the function's default; without either it is left out. */
function readAttribute(
  proto: AttributeProto,
  where: string,
  model: ModelContext,
  frame: Frame | undefined,
): Attr | undefined {
  if (proto.refAttrName) {
    if (frame) return frame.attributes.get(proto.refAttrName);
    throw new CompileError("model/bad-attribute", "an attribute refers to a function's, outside of any function", {
      where: `${where}, attribute ${quote(proto.name ?? "")}`,
    });
  }
  return decodeAttribute(proto, `${where}, attribute ${quote(proto.name ?? "")}`, {
    tensor: (tensor) => readTensor(tensor, `${where}, attribute ${quote(proto.name ?? "")}`, model),
    graph: (graph) => decodeGraph(graph, model, frame),
  });
}

interface Call {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attr>;
  readonly label: string;
  readonly calls: readonly string[];
}

/** Puts a function's body in place of the node that calls it. */
function inline(
  called: FunctionProto,
  call: Call,
  model: ModelContext,
  into: Node[],
  extras: Map<string, NodeExtra>,
): void {
  const where = `node ${quote(call.label)}`;
  const key = functionKey(canonicalDomain(called.domain), called.name ?? "", called.overload ?? "");
  if (call.calls.includes(key)) {
    throw new CompileError("model/recursive-function", `the function ${quote(called.name ?? "")} calls itself`, {
      where,
    });
  }
  if (call.calls.length >= MAX_CALLS) {
    throw new CompileError("model/budget", `functions call each other deeper than ${MAX_CALLS}`, { where });
  }
  const formal = called.input ?? [];
  const results = called.output ?? [];
  if (call.inputs.length > formal.length || call.outputs.length > results.length) {
    throw new CompileError("model/bad-call", `the function ${quote(called.name ?? "")} has fewer inputs or outputs`, {
      where,
    });
  }
  const names = new Map<string, string>();
  formal.forEach((name, index) => {
    names.set(name, call.inputs[index] ?? "");
  });
  const passed: [from: string, to: string][] = [];
  results.forEach((name, index) => {
    const wanted = call.outputs[index];
    if (wanted === undefined || wanted === "") return;
    // An input handed through, or one value under two outputs: a copy gives it the second name.
    if (names.has(name)) passed.push([name, wanted]);
    else names.set(name, wanted);
  });

  const attributes = new Map(call.attributes);
  const frame: Frame = { names, prefix: call.label, attributes, calls: [...call.calls, key] };
  for (const proto of called.attributeProto ?? []) {
    const name = proto.name ?? "";
    if (attributes.has(name)) continue;
    const attr = readAttribute(proto, where, model, undefined);
    if (attr) attributes.set(name, attr);
  }
  for (const node of called.node ?? []) decodeNode(node, model, frame, into, extras);
  for (const [from, to] of passed) {
    const input = names.get(from) ?? "";
    into.push({ op: "Identity", domain: "", inputs: [input], outputs: [to], attrs: new Map(), origin: [call.label] });
  }
}
