import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import { subgraphs } from "../ir/graph.ts";
import { decode } from "./decode.ts";
import {
  canonicalDomain,
  decodeGraph,
  functionKey,
  MAX_NODES,
  MAX_TENSORS,
  type ModelContext,
  quote,
} from "./decode-graph.ts";
import { type Extra, extraOf } from "./extra.ts";
import { externalFiles, openModel } from "./files.ts";
import { ordered } from "./order.ts";
import type { FunctionProto, GraphProto, ModelProto } from "./schema.ts";
import { memorySource, type Source } from "./wire.ts";

const NEWEST_IR = 13;
const OLDEST_IR = 3;
/** ONNX 1.20's. */
export const NEWEST_OPSET = 25;

/**
 * Reads a model as it is: its own opset, its own names, functions inlined. Weights of large files and external data stay
 * where they are until something asks for them.
 * Throws CompileError `usage/…` for the path and `model/…` for what the file holds.
 */
export function readModel(path: string): Graph {
  const { source, folder } = openModel(path);
  try {
    return fromSource(source, folder);
  } catch (error) {
    if (!(error instanceof CompileError) || !OF_THE_FILE.has(error.code)) throw error;
    const { code, message, where, remedy = "", cause } = error;
    throw new CompileError(code, message, { where: [path, where ?? []].flat().join(", "), remedy, cause });
  }
}

/** What says that this may not be a model at all: then the file's name tells more than a place in it. */
const OF_THE_FILE: ReadonlySet<string> = new Set(["model/malformed", "model/no-graph", "model/ir-version"]);

/** The same for bytes in memory. External data is only allowed where `folder` says where it may lie. */
export function decodeModel(bytes: Uint8Array, options: { folder?: string } = {}): Graph {
  if (bytes.length === 0) throw new CompileError("model/empty", "the model has no bytes");
  return fromSource(memorySource(bytes), options.folder);
}

function fromSource(source: Source, folder: string | undefined): Graph {
  const model = decode("ModelProto", source);
  checkVersions(model);
  if (!model.graph) {
    throw new CompileError("model/no-graph", "the file has no graph", {
      remedy: "check that it is an ONNX model and not another protobuf",
    });
  }
  const opsets = opsetsOf(model);
  const functions = functionTable(model, opsets);
  const context: ModelContext = {
    open: folder === undefined ? undefined : externalFiles(folder),
    functions,
    taken: functions.size > 0 ? namesOf(model.graph) : new Set(),
    nodesLeft: MAX_NODES,
    tensorsLeft: MAX_TENSORS,
  };
  const decoded = decodeGraph(model.graph, context);
  for (const name of decoded.inputs) {
    if (decoded.types.has(name)) continue;
    throw new CompileError("model/untyped-input", `the input ${quote(name)} has no type`, {
      where: `graph input ${quote(name)}`,
    });
  }
  const { graph: _, functions: __, ...rest } = model;
  const graph: Graph = {
    ...decoded,
    opsets,
    metadata: new Map((model.metadataProps ?? []).map((entry) => [entry.key ?? "", entry.value ?? ""])),
    extra: { ...(extraOf(decoded) as Extra), model: rest } satisfies Extra,
  };
  const result = ordered(graph);
  checkDomains(result, opsets);
  return result;
}

function checkVersions(model: ModelProto): void {
  const version = model.irVersion;
  if (version !== undefined && version >= OLDEST_IR && version <= NEWEST_IR) return;
  const said = version === undefined ? "no IR version" : `IR version ${version}`;
  throw new CompileError("model/ir-version", `the model has ${said}; ${OLDEST_IR} to ${NEWEST_IR} are supported`, {
    remedy: "check that it is an ONNX model, or convert it with onnx.version_converter",
  });
}

function opsetsOf(model: ModelProto): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const entry of model.opsetImport ?? []) {
    const domain = canonicalDomain(entry.domain);
    const version = entry.version ?? 0;
    if (opsets.has(domain) && opsets.get(domain) !== Number(version)) {
      throw new CompileError("model/opset", `the domain ${quote(domain)} is imported in two versions`);
    }
    if (version < 1 || typeof version === "bigint" || (domain === "" && version > NEWEST_OPSET)) {
      throw new CompileError("model/opset", `opset ${version} of ${quote(domain || "ai.onnx")} is not known`, {
        remedy: `export the model with an opset from 7 to ${NEWEST_OPSET}`,
      });
    }
    opsets.set(domain, version);
  }
  // A function's body becomes part of the model, and with it what the body needs.
  for (const item of model.functions ?? []) {
    for (const entry of item.opsetImport ?? []) {
      const domain = canonicalDomain(entry.domain);
      if (!opsets.has(domain)) opsets.set(domain, Number(entry.version ?? 0));
    }
  }
  return opsets;
}

/** A function may import its own opsets; they must be the model's, since its body becomes part of the model. */
function functionTable(model: ModelProto, opsets: ReadonlyMap<string, number>): Map<string, FunctionProto> {
  const table = new Map<string, FunctionProto>();
  for (const item of model.functions ?? []) {
    const domain = canonicalDomain(item.domain);
    const key = functionKey(domain, item.name ?? "", item.overload ?? "");
    const where = `function ${quote(item.name ?? "")}`;
    if (table.has(key)) throw new CompileError("model/duplicate-name", "a function is defined twice", { where });
    for (const entry of item.opsetImport ?? []) {
      const own = canonicalDomain(entry.domain);
      const outer = opsets.get(own);
      if (outer !== undefined && outer !== entry.version && own === "") {
        throw new CompileError("model/opset", `it is written for opset ${entry.version} and the model for ${outer}`, {
          where,
          remedy: "export the model with one opset throughout",
        });
      }
    }
    table.set(key, item);
  }
  return table;
}

/** All value names in a graph and its subgraphs. Nesting is bounded by the decoder. */
function namesOf(graph: GraphProto, names = new Set<string>()): Set<string> {
  for (const list of [graph.input, graph.output, graph.initializer]) {
    for (const item of list ?? []) names.add(item.name ?? "");
  }
  for (const node of graph.node ?? []) {
    for (const name of [...(node.input ?? []), ...(node.output ?? [])]) names.add(name);
    for (const attribute of node.attribute ?? []) {
      if (attribute.g) namesOf(attribute.g, names);
      for (const inner of attribute.graphs ?? []) namesOf(inner, names);
    }
  }
  return names;
}

function checkDomains(graph: Graph, opsets: ReadonlyMap<string, number>): void {
  for (const node of graph.nodes) {
    if (!opsets.has(node.domain)) {
      const name = node.domain === "" ? "ai.onnx" : node.domain;
      throw new CompileError("model/opset", `the model does not say which opset of ${quote(name)} it uses`, {
        where: `node ${quote(node.origin[0])} (${node.op})`,
        remedy: "add the domain to the model's opset_import",
      });
    }
    for (const [, inner] of subgraphs(node)) checkDomains(inner, opsets);
  }
}
