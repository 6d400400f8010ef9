/**
 * The ONNX protobuf schema up to IR version 13 as a table: field number → [name, kind, "repeated"?]. A message is a plain
 * object with these names; what the table does not know is kept as raw bytes in `unknown` and written back.
 *
 * Kinds: a scalar, another message, or `packed-*`: the elements' wire bytes, undecoded, because a tensor's numbers are
 * only decoded once its dimensions have been checked against them.
 */

export const SCHEMA = {
  ModelProto: {
    1: ["irVersion", "int64"],
    2: ["producerName", "string"],
    3: ["producerVersion", "string"],
    4: ["domain", "string"],
    5: ["modelVersion", "int64"],
    6: ["docString", "string"],
    7: ["graph", "GraphProto"],
    8: ["opsetImport", "OperatorSetIdProto", "repeated"],
    14: ["metadataProps", "StringStringEntryProto", "repeated"],
    20: ["trainingInfo", "bytes", "repeated"],
    25: ["functions", "FunctionProto", "repeated"],
    26: ["configuration", "bytes", "repeated"],
  },
  OperatorSetIdProto: { 1: ["domain", "string"], 2: ["version", "int64"] },
  StringStringEntryProto: { 1: ["key", "string"], 2: ["value", "string"] },
  GraphProto: {
    1: ["node", "NodeProto", "repeated"],
    2: ["name", "string"],
    5: ["initializer", "TensorProto", "repeated"],
    10: ["docString", "string"],
    11: ["input", "ValueInfoProto", "repeated"],
    12: ["output", "ValueInfoProto", "repeated"],
    13: ["valueInfo", "ValueInfoProto", "repeated"],
    14: ["quantizationAnnotation", "bytes", "repeated"],
    15: ["sparseInitializer", "SparseTensorProto", "repeated"],
    16: ["metadataProps", "StringStringEntryProto", "repeated"],
  },
  NodeProto: {
    1: ["input", "string", "repeated"],
    2: ["output", "string", "repeated"],
    3: ["name", "string"],
    4: ["opType", "string"],
    5: ["attribute", "AttributeProto", "repeated"],
    6: ["docString", "string"],
    7: ["domain", "string"],
    8: ["overload", "string"],
    9: ["metadataProps", "StringStringEntryProto", "repeated"],
    10: ["deviceConfigurations", "bytes", "repeated"],
  },
  AttributeProto: {
    1: ["name", "string"],
    2: ["f", "float"],
    3: ["i", "int64"],
    4: ["s", "bytes"],
    5: ["t", "TensorProto"],
    6: ["g", "GraphProto"],
    7: ["floats", "float", "repeated"],
    8: ["ints", "int64", "repeated"],
    9: ["strings", "bytes", "repeated"],
    10: ["tensors", "TensorProto", "repeated"],
    11: ["graphs", "GraphProto", "repeated"],
    13: ["docString", "string"],
    14: ["tp", "TypeProto"],
    15: ["typeProtos", "TypeProto", "repeated"],
    20: ["type", "int64"],
    21: ["refAttrName", "string"],
    22: ["sparseTensor", "SparseTensorProto"],
    23: ["sparseTensors", "SparseTensorProto", "repeated"],
  },
  ValueInfoProto: {
    1: ["name", "string"],
    2: ["type", "TypeProto"],
    3: ["docString", "string"],
    4: ["metadataProps", "StringStringEntryProto", "repeated"],
  },
  TensorProto: {
    1: ["dims", "int64", "repeated"],
    2: ["dataType", "int64"],
    3: ["segment", "bytes"],
    4: ["floatData", "packed-32"],
    5: ["int32Data", "packed-varint"],
    6: ["stringData", "bytes", "repeated"],
    7: ["int64Data", "packed-varint"],
    8: ["name", "string"],
    9: ["rawData", "bytes"],
    10: ["doubleData", "packed-64"],
    11: ["uint64Data", "packed-varint"],
    12: ["docString", "string"],
    13: ["externalData", "StringStringEntryProto", "repeated"],
    14: ["dataLocation", "int64"],
    16: ["metadataProps", "StringStringEntryProto", "repeated"],
  },
  SparseTensorProto: {
    1: ["values", "TensorProto"],
    2: ["indices", "TensorProto"],
    3: ["dims", "int64", "repeated"],
  },
  TypeProto: {
    1: ["tensorType", "TensorTypeProto"],
    4: ["sequenceType", "ElementTypeProto"],
    5: ["mapType", "MapTypeProto"],
    6: ["denotation", "string"],
    7: ["opaqueType", "bytes"],
    8: ["sparseTensorType", "TensorTypeProto"],
    9: ["optionalType", "ElementTypeProto"],
  },
  /** TypeProto.Tensor and TypeProto.SparseTensor. */
  TensorTypeProto: { 1: ["elemType", "int64"], 2: ["shape", "TensorShapeProto"] },
  /** TypeProto.Sequence and TypeProto.Optional. */
  ElementTypeProto: { 1: ["elemType", "TypeProto"] },
  MapTypeProto: { 1: ["keyType", "int64"], 2: ["valueType", "TypeProto"] },
  TensorShapeProto: { 1: ["dim", "DimensionProto", "repeated"] },
  DimensionProto: { 1: ["dimValue", "int64"], 2: ["dimParam", "string"], 3: ["denotation", "string"] },
  /** How test data say a sequence and an optional value. */
  SequenceProto: { 1: ["name", "string"], 2: ["elemType", "int64"], 3: ["tensorValues", "TensorProto", "repeated"] },
  OptionalProto: {
    1: ["name", "string"],
    2: ["elemType", "int64"],
    3: ["tensorValue", "TensorProto"],
    5: ["sequenceValue", "SequenceProto"],
  },
  FunctionProto: {
    1: ["name", "string"],
    4: ["input", "string", "repeated"],
    5: ["output", "string", "repeated"],
    6: ["attribute", "string", "repeated"],
    7: ["node", "NodeProto", "repeated"],
    8: ["docString", "string"],
    9: ["opsetImport", "OperatorSetIdProto", "repeated"],
    10: ["domain", "string"],
    11: ["attributeProto", "AttributeProto", "repeated"],
    12: ["valueInfo", "ValueInfoProto", "repeated"],
    13: ["overload", "string"],
    14: ["metadataProps", "StringStringEntryProto", "repeated"],
  },
} as const;

type Schema = typeof SCHEMA;
export type MessageName = keyof Schema;

export type ScalarKind = "int64" | "float" | "string" | "bytes";
export type PackedKind = "packed-32" | "packed-64" | "packed-varint";
export type Field = readonly [name: string, kind: ScalarKind | PackedKind | MessageName, repeated?: "repeated"];

/** Bytes of a file that stay there until `read`; used for payloads of large model files. */
export interface FileBytes {
  readonly lazy: true;
  readonly byteLength: number;
  read(): Uint8Array;
}
export type Bytes = Uint8Array | FileBytes;

interface Scalars {
  int64: number | bigint;
  float: number;
  string: string;
  bytes: Bytes;
  "packed-32": readonly Bytes[];
  "packed-64": readonly Bytes[];
  "packed-varint": readonly Bytes[];
}
type ValueOf<Kind> = Kind extends keyof Scalars ? Scalars[Kind] : Kind extends MessageName ? Message<Kind> : never;
type FieldValue<F> = F extends readonly [string, infer Kind, "repeated"]
  ? ValueOf<Kind>[]
  : F extends readonly [string, infer Kind]
    ? ValueOf<Kind>
    : never;
type NameOf<F> = F extends readonly [infer Name extends string, ...unknown[]] ? Name : never;

/** A decoded message. A field that the file does not have is absent; `unknown` holds fields the table does not know. */
export type Message<K extends MessageName> = {
  -readonly [N in keyof Schema[K] as NameOf<Schema[K][N]>]?: FieldValue<Schema[K][N]>;
} & { unknown?: Uint8Array[] };

export type ModelProto = Message<"ModelProto">;
export type GraphProto = Message<"GraphProto">;
export type NodeProto = Message<"NodeProto">;
export type AttributeProto = Message<"AttributeProto">;
export type ValueInfoProto = Message<"ValueInfoProto">;
export type TensorProto = Message<"TensorProto">;
export type SparseTensorProto = Message<"SparseTensorProto">;
export type TypeProto = Message<"TypeProto">;
export type FunctionProto = Message<"FunctionProto">;
export type StringStringEntryProto = Message<"StringStringEntryProto">;

/** Schema tables as the reader and the writer walk them. */
export const FIELDS = new Map<MessageName, ReadonlyMap<number, Field>>(
  Object.entries(SCHEMA).map(([name, fields]) => [
    name as MessageName,
    new Map(Object.entries(fields).map(([id, field]) => [Number(id), field as Field])),
  ]),
);

/** AttributeProto.AttributeType. */
export const ATTRIBUTE = {
  FLOAT: 1,
  INT: 2,
  STRING: 3,
  TENSOR: 4,
  GRAPH: 5,
  FLOATS: 6,
  INTS: 7,
  STRINGS: 8,
  TENSORS: 9,
  GRAPHS: 10,
  SPARSE_TENSOR: 11,
  SPARSE_TENSORS: 12,
  TYPE_PROTO: 13,
  TYPE_PROTOS: 14,
} as const; // prettier-ignore
