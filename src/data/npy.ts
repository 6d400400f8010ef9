import { CompileError } from "../error.ts";
import type { DataArray, DataType, DataValues } from "./dataset.ts";
import type { Source } from "./source.ts";

/**
 * NumPy's array file: magic, version, the length of a header that is a Python literal
 * `{'descr': '<f4', 'fortran_order': False, 'shape': (10, 3), }`, then the elements.
 * Pickled objects are refused: reading one runs whatever its author wrote.
 */

export interface NpyHeader {
  readonly dtype: DataType | "string";
  /** Bytes of one element as stored. */
  readonly width: number;
  /** NumPy's kind of text: U is UTF-32, S bytes. */
  readonly text?: "U" | "S";
  readonly shape: readonly number[];
  /** Where the elements start. */
  readonly start: number;
}

const MAGIC = "147,78,85,77,80,89";
const MAX_HEADER_BYTES = 64 * 1024;
const MAX_RANK = 32;
const MAX_TEXT_BYTES = 2 ** 20;

const TYPES: ReadonlyMap<string, readonly [DataType, number]> = new Map([
  ["f4", ["float32", 4]],
  ["f8", ["float64", 8]],
  ["f2", ["float16", 2]],
  ["i1", ["int8", 1]],
  ["u1", ["uint8", 1]],
  ["b1", ["bool", 1]],
  ["i2", ["int16", 2]],
  ["u2", ["uint16", 2]],
  ["i4", ["int32", 4]],
  ["u4", ["uint32", 4]],
  ["i8", ["int64", 8]],
  ["u8", ["uint64", 8]],
]);

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
} as const;

function refuse(code: "broken-npy" | "pickled-data" | "unsupported-npy", source: Source, message: string, remedy = "") {
  return new CompileError(`usage/${code}`, message, {
    where: source.name,
    remedy: remedy || "write the array again with numpy.save or numpy.savez",
  });
}

/** @throws CompileError where the file is no array of numbers or text in C order, or not as long as its shape says. */
export function readNpyHeader(source: Source): NpyHeader {
  if (source.size < 10 || source.read(0, 6).join() !== MAGIC)
    throw refuse("broken-npy", source, "this is not an .npy file");
  const [major] = source.read(6, 1);
  if (major < 1 || major > 3) throw refuse("unsupported-npy", source, `.npy version ${major} is not known`);
  const prefix = major === 1 ? 10 : 12;
  const lengths = source.read(8, prefix - 8);
  const view = new DataView(lengths.buffer, lengths.byteOffset, lengths.length);
  const headerLength = major === 1 ? view.getUint16(0, true) : view.getUint32(0, true);
  if (headerLength > MAX_HEADER_BYTES) throw refuse("broken-npy", source, `a header of ${headerLength} bytes`);
  const text = Buffer.from(source.read(prefix, headerLength)).toString(major === 3 ? "utf8" : "latin1");
  const header = { ...parseHeader(text, source), start: prefix + headerLength };
  const bytes = header.shape.reduce((product, dim) => product * dim, header.width);
  if (!Number.isSafeInteger(bytes))
    throw refuse("broken-npy", source, `the shape [${header.shape.join(", ")}] has no sane size`);
  const there = source.size - header.start;
  if (bytes === there) return header;
  const message = `the header says [${header.shape.join(", ")}], ${bytes} bytes, but ${there} follow`;
  throw refuse("broken-npy", source, message);
}

function parseHeader(text: string, source: Source): Omit<NpyHeader, "start"> {
  const match =
    /^\{'descr': (?<descr>'[^'\\]{1,16}'|\[.*\]), 'fortran_order': (?<fortran>True|False), 'shape': \((?<shape>[\d, ]*)\),? ?\}\s*$/.exec(
      text,
    );
  const { descr, fortran, shape } = match?.groups ?? {};
  if (descr === undefined) throw refuse("broken-npy", source, "the header is not NumPy's");
  if (descr.startsWith("[")) {
    throw refuse("unsupported-npy", source, "structured arrays are not read", "save one array a field");
  }
  const dims = shape
    .split(",")
    .map((dim) => dim.trim())
    .filter((dim) => dim !== "")
    .map(Number);
  if (dims.length > MAX_RANK || !dims.every((dim) => Number.isSafeInteger(dim))) {
    throw refuse("broken-npy", source, `(${shape}) is not a shape`);
  }
  if (fortran === "True" && dims.length > 1) {
    throw refuse("unsupported-npy", source, "the array is in Fortran order", "save numpy.ascontiguousarray(x)");
  }
  return { ...parseType(descr.slice(1, -1), source), shape: dims };
}

function parseType(descr: string, source: Source): Pick<NpyHeader, "dtype" | "width" | "text"> {
  const [, order, kind, digits] = /^([<>|=]?)([a-zA-Z])(\d*)$/.exec(descr) ?? [];
  if (kind === "O") {
    const message = "the array holds pickled Python objects, which could run code when read";
    throw refuse("pickled-data", source, message, "save an array of numbers or of fixed-length text");
  }
  if (kind === "U" || kind === "S") {
    const width = Number(digits) * (kind === "U" ? 4 : 1);
    if (!(width <= MAX_TEXT_BYTES) || order === ">")
      throw refuse("unsupported-npy", source, `dtype ${descr} is not read`);
    return { dtype: "string", width, text: kind };
  }
  const found = TYPES.get(`${kind}${digits}`);
  if (found === undefined || (order === ">" && found[1] > 1)) {
    const message = `dtype ${JSON.stringify(descr)} is not read`;
    throw refuse("unsupported-npy", source, message, "save a little-endian type, for example x.astype('<f4')");
  }
  return { dtype: found[0], width: found[1] };
}

/** Elements `from` to `from + count` of a numeric array, flat. */
export function readNumbers(source: Source, header: NpyHeader, from: number, count: number): DataValues {
  if (header.dtype === "string") throw new Error("bug: text has no numbers");
  const bytes = source.read(header.start + from * header.width, count * header.width);
  return new ARRAYS[header.dtype](bytes.buffer as ArrayBuffer, bytes.byteOffset, count);
}

/** Element `index` of a text array, without the padding. */
export function readText(source: Source, header: NpyHeader, index: number): string {
  const bytes = source.read(header.start + index * header.width, header.width);
  if (header.text === "S") return Buffer.from(bytes).toString("utf8").replace(/\0+$/, "");
  const points = new Uint32Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, header.width / 4);
  let text = "";
  for (const point of points) text += point > 0x10ffff ? "\ufffd" : String.fromCodePoint(point);
  return text.replace(/\0+$/, "");
}

/** One element as text, whatever its type: numbers as they print. */
export function readLabel(source: Source, header: NpyHeader, index: number): string {
  if (header.dtype === "string") return readText(source, header, index);
  return String(readNumbers(source, header, index, 1)[0]);
}

/** An .npy file's bytes. Numbers only. */
export function encodeNpy(array: DataArray): Uint8Array {
  const code = [...TYPES].find(([, [dtype]]) => dtype === array.dtype)![0];
  const order = code.endsWith("1") ? "|" : "<";
  const shape = array.shape.length === 1 ? `${array.shape[0]},` : array.shape.join(", ");
  const literal = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${shape}), }`;
  const padded = `${literal.padEnd(Math.ceil((literal.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.alloc(10);
  head.write("\x93NUMPY\x01\x00", "latin1");
  head.writeUInt16LE(padded.length, 8);
  const { buffer, byteOffset, byteLength } = array.data;
  return Buffer.concat([head, Buffer.from(padded, "latin1"), new Uint8Array(buffer, byteOffset, byteLength)]);
}
