import { CompileError } from "../error.ts";
import { bitsOf, type DType, type Tensor, type TypedArray } from "../ir/graph.ts";
import { allocate, arrayLength, bytesOf, isLazy, viewBytes } from "../ir/tensor.ts";
import { dtypeNumber, dtypeOfNumber } from "./dtypes.ts";
import type { OpenFile } from "./files.ts";
import type { Bytes, SparseTensorProto, TensorProto } from "./schema.ts";
import { decodeText } from "./wire.ts";

/** Where a tensor's external data comes from; absent for models that have no folder. */
export type OpenExternal = (location: string, where: string) => OpenFile;

const MAX_RANK = 64;
/** A dense tensor made from a sparse one may take this much. */
const MAX_DENSE_BYTES = 2 ** 30;
/** External data up to here is read at once: shapes, axes, scales. */
const EAGER_BYTES = 1024;

/** Checks dimensions before anything is allocated; returns the number of elements. */
export function checkedCount(dims: readonly (number | bigint)[], dtype: DType, where: string): number {
  if (dims.length > MAX_RANK) throw bad(`it has ${dims.length} dimensions`, where);
  let count = 1;
  for (const dim of dims) {
    if (typeof dim === "bigint" || dim < 0) throw bad(`dimension ${dim} is not a size`, where);
    count *= dim;
  }
  // A zero among the dimensions hides an overflow before it, so each partial product must be sane too.
  const bytes = dims.reduce<number>((product, dim) => product * Math.max(Number(dim), 1), 1) * bitsOf(dtype);
  if (!Number.isSafeInteger(count) || bytes > Number.MAX_SAFE_INTEGER) {
    throw bad(`shape [${dims.join(", ")}] has more elements than can be counted`, where);
  }
  return count;
}

function bad(what: string, where: string): CompileError {
  return new CompileError("model/bad-tensor", what, { where, remedy: "export the model again" });
}

/** TensorProto → Tensor. The data must be exactly as long as the dimensions say. */
export function decodeTensor(proto: TensorProto, where: string, open?: OpenExternal): Tensor {
  const dtype = dtypeOfNumber(proto.dataType ?? 0);
  if (dtype === undefined) {
    throw new CompileError("model/unknown-dtype", `tensor data type ${proto.dataType ?? 0} is not known`, {
      where,
      remedy: "types up to ONNX IR version 13 are supported",
    });
  }
  const dims = proto.dims ?? [];
  const count = checkedCount(dims, dtype, where);
  const shape = dims.map(Number);
  const length = Math.ceil((count * bitsOf(dtype)) / 8);
  if (proto.segment !== undefined) throw bad("it is stored in segments, which nobody writes", where);
  if (Number(proto.dataLocation ?? 0) === 1) {
    if (dtype === "string") throw bad("texts cannot be external data", where);
    return { dtype, shape, data: external(proto, dtype, count, length, where, open) };
  }
  if (dtype === "string") return { dtype, shape, data: decodeStrings(proto, count, where) };
  if (proto.rawData !== undefined && proto.rawData.byteLength > 0) {
    const raw = proto.rawData;
    if (raw.byteLength !== length) {
      throw bad(`shape [${shape}] of ${dtype} takes ${length} bytes and the file has ${raw.byteLength}`, where);
    }
    return { dtype, shape, data: "lazy" in raw ? raw : owned(dtype, count, raw) };
  }
  return { dtype, shape, data: decodeTyped(proto, dtype, count, where) };
}

/** A copy in memory of its own, so that the file's bytes can go. */
function owned(dtype: Exclude<DType, "string">, count: number, bytes: Uint8Array): TypedArray {
  return viewBytes(dtype, count, Uint8Array.from(bytes));
}

function external(
  proto: TensorProto,
  dtype: Exclude<DType, "string">,
  count: number,
  length: number,
  where: string,
  open: OpenExternal | undefined,
): Tensor["data"] {
  const entries = new Map((proto.externalData ?? []).map((entry) => [entry.key ?? "", entry.value ?? ""]));
  const location = entries.get("location");
  if (location === undefined) throw bad("it is external data without a location", where);
  if (open === undefined) {
    throw new CompileError("model/no-external-data", "external data needs a model that lies in a folder", { where });
  }
  const offset = wholeNumber(entries.get("offset") ?? "0", "offset", where);
  const said = entries.get("length");
  if (said !== undefined && wholeNumber(said, "length", where) !== length) {
    throw bad(`shape [${proto.dims ?? []}] of ${dtype} takes ${length} bytes and its external data ${said}`, where);
  }
  const file = open(location, where);
  if (length > file.length || offset > file.length - length) {
    throw bad(`bytes ${offset} to ${offset + length} of ${JSON.stringify(location)} end after the file does`, where);
  }
  if (length <= EAGER_BYTES) return viewBytes(dtype, count, file.read(offset, length));
  return file.range(offset, length);
}

/** ONNX writes offsets and lengths as decimal text. */
function wholeNumber(text: string, what: string, where: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value))
    throw bad(`the external data's ${what} ${JSON.stringify(text)} is not a size`, where);
  return value;
}

function decodeStrings(proto: TensorProto, count: number, where: string): readonly string[] {
  const strings = proto.stringData ?? [];
  if (strings.length !== count) throw bad(`${count} texts are due and the file has ${strings.length}`, where);
  return strings.map((bytes) => {
    const text = decodeText(inMemory(bytes));
    if (text === undefined) throw bad("a text is not valid UTF-8", where);
    return text;
  });
}

export function inMemory(bytes: Bytes): Uint8Array {
  return "lazy" in bytes ? bytes.read() : bytes;
}

/** The typed field that holds each type's numbers where they are not raw bytes. */
function typedField(proto: TensorProto, dtype: DType): { chunks: readonly Bytes[]; width: 0 | 4 | 8 } {
  switch (dtype) {
    case "float32":
    case "complex64":
      return { chunks: proto.floatData ?? [], width: 4 };
    case "float64":
    case "complex128":
      return { chunks: proto.doubleData ?? [], width: 8 };
    case "int64":
      return { chunks: proto.int64Data ?? [], width: 0 };
    case "uint32":
    case "uint64":
      return { chunks: proto.uint64Data ?? [], width: 0 };
    default:
      return { chunks: proto.int32Data ?? [], width: 0 };
  }
}

function decodeTyped(proto: TensorProto, dtype: Exclude<DType, "string">, count: number, where: string): TypedArray {
  const { chunks, width } = typedField(proto, dtype);
  const due = arrayLength(dtype, count);
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  // A varint takes at least a byte, so this bounds the allocation by the file's own size.
  if (width === 0 ? bytes < due : bytes !== due * width) {
    const found = width === 0 ? `${bytes} bytes` : `${bytes / width}`;
    throw bad(`shape [${proto.dims ?? []}] of ${dtype} needs ${due} numbers and the file has ${found}`, where);
  }
  if (width !== 0) return viewBytes(dtype, count, join(chunks));
  const values = allocate(dtype, count);
  const found = decodeVarints(chunks, values);
  if (found !== due) throw bad(`${due} numbers are due and the file has ${found}`, where);
  return values;
}

function join(chunks: readonly Bytes[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks.map(inMemory)));
}

/** Fills `values`; counts what there is, also beyond its end; −1 where the last number is cut off. */
function decodeVarints(chunks: readonly Bytes[], values: TypedArray): number {
  const big = values instanceof BigInt64Array || values instanceof BigUint64Array;
  const small = values as Exclude<TypedArray, BigInt64Array | BigUint64Array>;
  let count = 0;
  for (const chunk of chunks) {
    const bytes = inMemory(chunk);
    for (let at = 0; at < bytes.length; count++) {
      let low = 0;
      let wide = 0n;
      let shift = 0;
      let byte: number;
      do {
        if (at >= bytes.length || shift > 63) return -1;
        byte = bytes[at++];
        // Typed arrays wrap to their own width, so the low 32 bits are all that narrow types need.
        if (shift < 32) low |= (byte & 127) << shift;
        if (big && shift >= 28) wide |= BigInt(byte & 127) << BigInt(shift);
        shift += 7;
      } while (byte >= 128);
      if (count >= values.length) continue;
      if (!big) small[count] = low;
      else values[count] = wide === 0n ? BigInt(low & 0x0fffffff) : wide | BigInt(low & 0x0fffffff);
    }
  }
  return count;
}

/** A sparse tensor as a dense one. Indices are flat or one row an element, and must rise. */
export function densify(proto: SparseTensorProto, where: string, open?: OpenExternal): Tensor {
  if (!proto.values || !proto.indices) throw bad("a sparse tensor lacks its values or indices", where);
  const values = decodeTensor(proto.values, where, open);
  const indices = decodeTensor(proto.indices, where, open);
  const { dtype } = values;
  const count = checkedCount(proto.dims ?? [], dtype, where);
  if (dtype === "string" || bitsOf(dtype) < 8) throw bad(`a sparse tensor of ${dtype} is not supported`, where);
  if (count * (bitsOf(dtype) / 8) > MAX_DENSE_BYTES) {
    throw bad(`a sparse tensor of shape [${proto.dims}] would take more than ${MAX_DENSE_BYTES} bytes`, where);
  }
  const shape = (proto.dims ?? []).map(Number);
  const elements = values.shape.reduce((product, dim) => product * dim, 1);
  const rows = indices.shape.length === 2;
  const wellFormed = rows
    ? indices.shape[0] === elements && indices.shape[1] === shape.length
    : indices.shape.length === 1 && indices.shape[0] === elements;
  if (indices.dtype !== "int64" || !wellFormed) throw bad("a sparse tensor's indices do not fit its values", where);
  const positions = viewBytes("int64", elements * (rows ? shape.length : 1), bytesOf(indices)) as BigInt64Array;
  const source = bytesOf(values);
  const width = bitsOf(dtype) / 8;
  const dense = new Uint8Array(count * width);
  let last = -1;
  for (let element = 0; element < elements; element++) {
    let flat = rows ? 0 : Number(positions[element]);
    for (let axis = 0; rows && axis < shape.length; axis++) {
      const index = Number(positions[element * shape.length + axis]);
      if (index < 0 || index >= shape[axis]) throw bad(`sparse index ${index} is outside its tensor`, where);
      flat = flat * shape[axis] + index;
    }
    if (flat <= last || flat >= count) throw bad("sparse indices must rise and stay inside the tensor", where);
    dense.set(source.subarray(element * width, (element + 1) * width), flat * width);
    last = flat;
  }
  return { dtype, shape, data: viewBytes(dtype, count, dense) };
}

/** Tensor → TensorProto, always as raw bytes (texts as texts). Lazy bytes stay lazy. */
export function encodeTensor(tensor: Tensor, name?: string): TensorProto {
  const proto: TensorProto = {};
  if (tensor.shape.length > 0) proto.dims = [...tensor.shape];
  proto.dataType = dtypeNumber(tensor.dtype);
  if (name !== undefined) proto.name = name;
  if (tensor.dtype === "string") proto.stringData = (tensor.data as readonly string[]).map((text) => Buffer.from(text));
  else proto.rawData = isLazy(tensor.data) ? tensor.data : bytesOf(tensor);
  return proto;
}
