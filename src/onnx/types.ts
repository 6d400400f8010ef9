import { CompileError } from "../error.ts";
import type { Dim, Type } from "../ir/graph.ts";
import { dtypeNumber, dtypeOfNumber } from "./dtypes.ts";
import { encode } from "./encode.ts";
import type { Message, TypeProto } from "./schema.ts";

type TensorType = Message<"TensorTypeProto">;

/** TypeProto → Type; undefined for a type that says nothing, `model/unsupported-type` for maps and the like. */
export function decodeType(proto: TypeProto | undefined, where: string): Type | undefined {
  if (proto === undefined) return undefined;
  if (proto.tensorType) return tensorType(proto.tensorType, where);
  const optional = proto.optionalType?.elemType;
  const sequence = (optional ?? proto).sequenceType?.elemType;
  if (sequence?.tensorType) {
    const element = tensorType(sequence.tensorType, where);
    return element && { ...element, container: optional ? "optional-sequence" : "sequence" };
  }
  if (optional?.tensorType) {
    const element = tensorType(optional.tensorType, where);
    return element && { ...element, container: "optional" };
  }
  if (proto.mapType || proto.sparseTensorType || proto.opaqueType || proto.sequenceType || proto.optionalType) {
    const what = proto.mapType ? "map" : proto.sparseTensorType ? "sparse tensor" : "nested";
    throw new CompileError("model/unsupported-type", `values of a ${what} type are not supported`, {
      where,
      remedy: "tensors, sequences of tensors and optional tensors are",
    });
  }
  return undefined;
}

function tensorType(proto: TensorType, where: string): Type | undefined {
  const number = proto.elemType ?? 0;
  if (number === 0) return undefined;
  const dtype = dtypeOfNumber(number);
  if (dtype === undefined) {
    throw new CompileError("model/unknown-dtype", `data type ${number} is not known`, {
      where,
      remedy: "types up to ONNX IR version 13 are supported",
    });
  }
  if (!proto.shape) return { dtype };
  const shape = (proto.shape.dim ?? []).map((dim): Dim => {
    if (dim.dimValue === undefined) return dim.dimParam === undefined || dim.dimParam === "" ? "?" : dim.dimParam;
    // Old exporters wrote −1 where they knew nothing.
    if (dim.dimValue === -1) return "?";
    if (typeof dim.dimValue === "bigint" || dim.dimValue < 0) {
      throw new CompileError("model/bad-shape", `dimension ${dim.dimValue} is not a size`, { where });
    }
    return dim.dimValue;
  });
  return { dtype, shape };
}

/** Whether a TypeProto says something that its Type does not: denotations, unknown fields, a dimension of −1. */
export function saysMore(proto: TypeProto, type: Type): boolean {
  return Buffer.compare(encode("TypeProto", proto), encode("TypeProto", encodeType(type))) !== 0;
}

export function sameType(a: Type, b: Type): boolean {
  return a.dtype === b.dtype && a.container === b.container && String(a.shape) === String(b.shape);
}

/** Type → TypeProto. `quant` is not said here: the writer turns it into QuantizeLinear and DequantizeLinear. */
export function encodeType(type: Type): TypeProto {
  const tensor: TensorType = { elemType: dtypeNumber(type.dtype) };
  if (type.shape) {
    tensor.shape = {
      dim: type.shape.map((dim) =>
        typeof dim === "number" ? { dimValue: dim } : dim === "?" ? {} : { dimParam: dim },
      ),
    };
  }
  const plain: TypeProto = { tensorType: tensor };
  switch (type.container) {
    case undefined:
      return plain;
    case "sequence":
      return { sequenceType: { elemType: plain } };
    case "optional":
      return { optionalType: { elemType: plain } };
    case "optional-sequence":
      return { optionalType: { elemType: { sequenceType: { elemType: plain } } } };
  }
}
