import type { Type } from "../../ir/graph.ts";
import { dtypeOfCode } from "./cast.ts";

/** Field numbers of AttributeProto, TypeProto, TypeProto.Tensor and TypeProto.Sequence. */
const ATTRIBUTE_TYPE = 14;
const TENSOR = 1;
const SEQUENCE = 4;
const ELEMENT = 1;

/** The type in the bytes of an AttributeProto whose value is a TypeProto: a tensor or a sequence of tensors, no shape. */
export function typeOfAttribute(bytes: Uint8Array): Type | undefined {
  const type = field(bytes, ATTRIBUTE_TYPE);
  if (!(type instanceof Uint8Array)) return undefined;
  const sequence = field(type, SEQUENCE);
  if (sequence instanceof Uint8Array) {
    const element = field(sequence, ELEMENT);
    const dtype = element instanceof Uint8Array ? tensorType(element)?.dtype : undefined;
    return dtype && { dtype, container: "sequence" };
  }
  return tensorType(type);
}

function tensorType(type: Uint8Array): Type | undefined {
  const tensor = field(type, TENSOR);
  const code = tensor instanceof Uint8Array ? field(tensor, ELEMENT) : undefined;
  const dtype = typeof code === "number" ? dtypeOfCode(code) : undefined;
  return dtype && { dtype };
}

/** The last value of a protobuf field: bytes or a varint; undefined where it is absent or the bytes are damaged. */
function field(message: Uint8Array, wanted: number): Uint8Array | number | undefined {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; at < message.length; scale *= 128) {
      const byte = message[at++];
      value += (byte & 127) * scale;
      if (byte < 128) break;
    }
    return value;
  };
  let found: Uint8Array | number | undefined;
  while (at < message.length) {
    const key = varint();
    const kind = key % 8;
    let value: Uint8Array | number;
    if (kind === 0) value = varint();
    else {
      const length = kind === 2 ? varint() : kind === 1 ? 8 : kind === 5 ? 4 : Number.POSITIVE_INFINITY;
      if (at + length > message.length) return undefined;
      value = message.subarray(at, at + length);
      at += length;
    }
    if (Math.floor(key / 8) === wanted) found = value;
  }
  return found;
}
