import { bug, CompileError } from "../error.ts";
import { type Bytes, FIELDS, type Field, type Message, type MessageName } from "./schema.ts";
import { WIRE } from "./wire.ts";

/**
 * Messages to protobuf bytes: one walk measures, a second writes into a buffer of exactly that size. Fields come in the
 * order of their numbers, unknown ones last, so equal messages have equal bytes.
 */

/** Where protobuf's own implementations stop. */
export const MAX_MESSAGE_BYTES = 2 ** 31 - 1;

type Values = Record<string, unknown>;
type Sizes = Map<object, number>;

export function encode<K extends MessageName>(name: K, message: Message<K>): Uint8Array {
  const sizes: Sizes = new Map();
  const length = measure(name, message as Values, sizes);
  if (length > MAX_MESSAGE_BYTES) {
    throw new CompileError("model/too-large", `the model takes ${length} bytes and protobuf ends at 2 GiB`, {
      remedy: "write it to a file, with its weights as external data",
    });
  }
  const writer: Writer = { bytes: new Uint8Array(length), at: 0 };
  write(name, message as Values, sizes, writer);
  if (writer.at !== length) bug(`encoded ${writer.at} bytes of ${length}`);
  return writer.bytes;
}

interface Writer {
  readonly bytes: Uint8Array;
  at: number;
}

function varintSize(value: number | bigint): number {
  if (value < 0) return 10;
  if (typeof value === "bigint") return Math.ceil(value.toString(2).length / 7);
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

function writeVarint(writer: Writer, value: number | bigint): void {
  if (value < 0 || typeof value === "bigint") {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) writer.bytes[writer.at++] = Number(rest & 127n) | 128;
    writer.bytes[writer.at++] = Number(rest);
    return;
  }
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) writer.bytes[writer.at++] = (rest % 128) | 128;
  writer.bytes[writer.at++] = rest;
}

function delimited(length: number): number {
  return varintSize(length) + length;
}

const byteLength = (value: Bytes): number => value.byteLength;

/** The values of a field, one or many; packed fields count as one value made of several payloads. */
function each(value: unknown, field: Field): readonly unknown[] {
  if (value === undefined) return [];
  return field[2] || field[1].startsWith("packed-") ? (value as unknown[]) : [value];
}

function valueSize(kind: Field[1], value: unknown, sizes: Sizes): number {
  switch (kind) {
    case "int64":
      return varintSize(value as number | bigint);
    case "float":
      return 4;
    case "string":
      return delimited(Buffer.byteLength(value as string));
    case "bytes":
      return delimited(byteLength(value as Bytes));
    case "packed-32":
    case "packed-64":
    case "packed-varint":
      return delimited(byteLength(value as Bytes));
    default:
      return delimited(measure(kind, value as Values, sizes));
  }
}

function measure(name: MessageName, message: Values, sizes: Sizes): number {
  let total = 0;
  for (const [id, field] of FIELDS.get(name) as ReadonlyMap<number, Field>) {
    for (const value of each(message[field[0]], field)) {
      total += varintSize(id * 8) + valueSize(field[1], value, sizes);
    }
  }
  for (const raw of (message.unknown as Uint8Array[] | undefined) ?? []) total += raw.length;
  sizes.set(message, total);
  return total;
}

function write(name: MessageName, message: Values, sizes: Sizes, writer: Writer): void {
  for (const [id, field] of FIELDS.get(name) as ReadonlyMap<number, Field>) {
    const kind = field[1];
    for (const value of each(message[field[0]], field)) {
      const wire = kind === "int64" ? WIRE.VARINT : kind === "float" ? WIRE.FIXED32 : WIRE.LENGTH;
      writeVarint(writer, id * 8 + wire);
      writeValue(kind, value, sizes, writer);
    }
  }
  for (const raw of (message.unknown as Uint8Array[] | undefined) ?? []) writeBytes(writer, raw);
}

function writeValue(kind: Field[1], value: unknown, sizes: Sizes, writer: Writer): void {
  switch (kind) {
    case "int64":
      writeVarint(writer, value as number | bigint);
      return;
    case "float":
      new DataView(writer.bytes.buffer).setFloat32(writer.at, value as number, true);
      writer.at += 4;
      return;
    case "string": {
      const text = Buffer.from(value as string);
      writeVarint(writer, text.length);
      writeBytes(writer, text);
      return;
    }
    case "bytes":
    case "packed-32":
    case "packed-64":
    case "packed-varint": {
      writeVarint(writer, byteLength(value as Bytes));
      writeBytes(writer, "lazy" in (value as Bytes) ? (value as { read(): Uint8Array }).read() : (value as Uint8Array));
      return;
    }
    default: {
      writeVarint(writer, sizes.get(value as object) ?? bug(`${kind} was not measured`));
      write(kind, value as Values, sizes, writer);
    }
  }
}

function writeBytes(writer: Writer, bytes: Uint8Array): void {
  writer.bytes.set(bytes, writer.at);
  writer.at += bytes.length;
}
