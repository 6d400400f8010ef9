import { CompileError } from "../error.ts";
import type { Attr, Graph, Tensor } from "../ir/graph.ts";
import { encode } from "./encode.ts";
import { ATTRIBUTE, type AttributeProto, type GraphProto, type TensorProto } from "./schema.ts";
import { inMemory } from "./tensor.ts";
import { decodeText } from "./wire.ts";

export interface AttributeReaders {
  tensor(proto: TensorProto): Tensor;
  graph(proto: GraphProto): Graph;
}

/** Files older than the field `type` leave it out; what is there tells. */
function kindOf(proto: AttributeProto): number {
  if (proto.type) return Number(proto.type);
  if (proto.f !== undefined) return ATTRIBUTE.FLOAT;
  if (proto.i !== undefined) return ATTRIBUTE.INT;
  if (proto.s !== undefined) return ATTRIBUTE.STRING;
  if (proto.t !== undefined) return ATTRIBUTE.TENSOR;
  if (proto.g !== undefined) return ATTRIBUTE.GRAPH;
  if (proto.floats !== undefined) return ATTRIBUTE.FLOATS;
  if (proto.strings !== undefined) return ATTRIBUTE.STRINGS;
  if (proto.tensors !== undefined) return ATTRIBUTE.TENSORS;
  if (proto.graphs !== undefined) return ATTRIBUTE.GRAPHS;
  return ATTRIBUTE.INTS;
}

/** AttributeProto → Attr. Texts that are not UTF-8, type protos and sparse tensors keep their encoded bytes. */
export function decodeAttribute(proto: AttributeProto, where: string, readers: AttributeReaders): Attr {
  switch (kindOf(proto)) {
    case ATTRIBUTE.FLOAT:
      return { f: proto.f ?? 0 };
    case ATTRIBUTE.INT:
      return { i: proto.i ?? 0 };
    case ATTRIBUTE.STRING: {
      const text = decodeText(inMemory(proto.s ?? new Uint8Array()));
      return text === undefined ? { raw: encode("AttributeProto", proto) } : { s: text };
    }
    case ATTRIBUTE.TENSOR:
      return { t: readers.tensor(proto.t ?? missing(where, "a tensor")) };
    case ATTRIBUTE.GRAPH:
      return { g: readers.graph(proto.g ?? missing(where, "a graph")) };
    case ATTRIBUTE.FLOATS:
      return { floats: proto.floats ?? [] };
    case ATTRIBUTE.INTS:
      return { ints: proto.ints ?? [] };
    case ATTRIBUTE.STRINGS: {
      const texts = (proto.strings ?? []).map((bytes) => decodeText(inMemory(bytes)));
      const sane = texts.every((text) => text !== undefined);
      return sane ? { strings: texts } : { raw: encode("AttributeProto", proto) };
    }
    case ATTRIBUTE.TENSORS:
      return { ts: (proto.tensors ?? []).map((tensor) => readers.tensor(tensor)) };
    case ATTRIBUTE.GRAPHS:
      return { gs: (proto.graphs ?? []).map((graph) => readers.graph(graph)) };
    case ATTRIBUTE.SPARSE_TENSOR:
    case ATTRIBUTE.SPARSE_TENSORS:
    case ATTRIBUTE.TYPE_PROTO:
    case ATTRIBUTE.TYPE_PROTOS:
      return { raw: encode("AttributeProto", proto) };
    default:
      throw new CompileError("model/bad-attribute", `attribute type ${proto.type} does not exist`, { where });
  }
}

function missing(where: string, what: string): never {
  throw new CompileError("model/bad-attribute", `the attribute says it holds ${what} and has none`, { where });
}
