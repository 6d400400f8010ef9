import type { Graph, Type } from "../ir/graph.ts";
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
  TypeProto,
  ValueInfoProto,
} from "./schema.ts";

/**
 * What the file says and the graph does not: doc strings, metadata, device configurations, unknown fields. It rides in
 * `Graph.extra` so that a model which is read and written without passes loses nothing. Plain data, found again by names:
 * a pass that keeps a node's first output and operator keeps its texts too.
 */
export interface Extra {
  /** Of the model itself; subgraphs have none. */
  readonly model?: ModelExtra;
  readonly graph: GraphExtra;
  /** Every input in the file's order, those with an initializer included. */
  readonly inputs: readonly string[];
  readonly values: ReadonlyMap<string, ValueExtra>;
  readonly tensors: ReadonlyMap<string, TensorExtra>;
  /** By first output. */
  readonly nodes: ReadonlyMap<string, NodeExtra>;
}

/** Opsets and metadata stand in the graph; their entries are kept for how the file spelled them. */
export type ModelExtra = Omit<ModelProto, "graph" | "functions">;
export type GraphExtra = Pick<GraphProto, "docString" | "quantizationAnnotation" | "metadataProps" | "unknown">;
export type ValueExtra = Pick<ValueInfoProto, "docString" | "metadataProps" | "unknown"> & {
  /** The type as the file has it, where it says more than ours; good as long as the value still has `decoded`. */
  readonly typeProto?: { readonly proto: TypeProto; readonly decoded: Type };
};
export type TensorExtra = Pick<TensorProto, "docString" | "metadataProps" | "unknown">;
export type AttributeExtra = Pick<AttributeProto, "docString" | "unknown"> & {
  readonly tensor?: TensorExtra & Pick<TensorProto, "name">;
};
export interface NodeExtra
  extends Pick<NodeProto, "opType" | "docString" | "overload" | "metadataProps" | "deviceConfigurations" | "unknown"> {
  readonly attributes?: ReadonlyMap<string, AttributeExtra>;
}

/** The parts of `message` that are there, or undefined where none is. */
export function pick<M extends object, K extends keyof M>(message: M, names: readonly K[]): Pick<M, K> | undefined {
  let found: Pick<M, K> | undefined;
  for (const name of names) {
    if (message[name] === undefined) continue;
    found ??= {} as Pick<M, K>;
    found[name] = message[name];
  }
  return found;
}

export function extraOf(graph: Graph): Extra | undefined {
  return graph.extra as Extra | undefined;
}
