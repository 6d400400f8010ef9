import { CompileError } from "../error.ts";
import type { Bytes } from "./schema.ts";

/**
 * Protobuf's wire format, read with a cursor over a window of bytes. A small model is one window; of a large file only
 * a window is in memory at a time, and long payloads are handed out as ranges of the file.
 */
export interface Source {
  readonly length: number;
  /** A part of the source that starts at `start` and has at least `least` bytes. */
  window(start: number, least: number): Uint8Array;
  /** A payload. It outlives the window. */
  bytes(start: number, length: number): Bytes;
}

export const WIRE = { VARINT: 0, FIXED64: 1, LENGTH: 2, GROUP: 3, END_GROUP: 4, FIXED32: 5 } as const;

const MAX_GROUP_DEPTH = 100;
const TWO_32 = 4_294_967_296;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function memorySource(bytes: Uint8Array): Source {
  return {
    length: bytes.length,
    window: (start) => bytes.subarray(start),
    bytes: (start, length) => bytes.subarray(start, start + length),
  };
}

/** The user's file is not a well-formed protobuf. */
export function malformed(message: string, offset: number): CompileError {
  return new CompileError("model/malformed", message, {
    where: `byte ${offset}`,
    remedy: "check that the file is a complete ONNX model; export or download it again",
  });
}

/** UTF-8 of ONNX names and texts; `undefined` where the bytes are not UTF-8. */
export function decodeText(bytes: Uint8Array): string | undefined {
  let ascii = true;
  for (let index = 0; ascii && index < bytes.length; index++) ascii = bytes[index] < 0x80;
  if (ascii) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** A cursor: the only mutable thing of the import. */
export class Reader {
  readonly #source: Source;
  #window: Uint8Array;
  #base = 0;
  #at = 0;

  constructor(source: Source) {
    this.#source = source;
    this.#window = source.length > 0 ? source.window(0, 1) : new Uint8Array();
  }

  get length(): number {
    return this.#source.length;
  }

  get position(): number {
    return this.#base + this.#at;
  }

  set position(value: number) {
    this.#at = value - this.#base;
    if (this.#at >= 0 && this.#at <= this.#window.length) return;
    this.#base = value;
    this.#at = 0;
    this.#window = new Uint8Array();
  }

  /** Makes `count` bytes available at the cursor, not beyond `end`. */
  #need(count: number, end: number): void {
    if (this.position + count > end) throw malformed("the file ends in the middle of a field", this.position);
    if (this.#at + count <= this.#window.length) return;
    this.#base = this.position;
    this.#at = 0;
    this.#window = this.#source.window(this.#base, count);
  }

  #byte(end: number): number {
    this.#need(1, end);
    return this.#window[this.#at++];
  }

  /** An unsigned varint as two 32-bit halves, [low, high]. */
  #halves(end: number): [number, number] {
    const start = this.position;
    let low = 0;
    let high = 0;
    for (let index = 0; index < 10; index++) {
      const byte = this.#byte(end);
      const part = byte & 0x7f;
      const shift = index * 7;
      if (shift < 28) low += part * 2 ** shift;
      else if (shift === 28) {
        low += (part & 0x0f) * 2 ** 28;
        high += part >> 4;
      } else high += part * 2 ** (shift - 32);
      if (byte < 0x80) return [low % TWO_32, high % TWO_32];
    }
    throw malformed("a number takes more than ten bytes", start);
  }

  /** A field's tag: number and wire type. */
  tag(end: number): { id: number; wire: number; start: number } {
    const start = this.position;
    const [low, high] = this.#halves(end);
    const id = low >>> 3;
    if (id === 0 || high !== 0) throw malformed(`${high === 0 ? "field number 0" : "a field number too large"}`, start);
    return { id, wire: low & 7, start };
  }

  /** A signed 64-bit varint; a bigint only where a number would lose digits. */
  int64(end: number): number | bigint {
    const [low, high] = this.#halves(end);
    const value = (high | 0) * TWO_32 + low;
    return Number.isSafeInteger(value) ? value : BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
  }

  float32(end: number): number {
    this.#need(4, end);
    const value = new DataView(this.#window.buffer, this.#window.byteOffset + this.#at, 4).getFloat32(0, true);
    this.#at += 4;
    return value;
  }

  /** The length of a length-delimited field, checked against what is left. */
  size(end: number): number {
    const start = this.position;
    const [low, high] = this.#halves(end);
    const length = high * TWO_32 + low;
    if (length > end - this.position) {
      throw malformed(`a field says it has ${length} bytes but ${end - this.position} are left`, start);
    }
    return length;
  }

  /** `length` bytes as a payload that may stay in its file. */
  payload(length: number): Bytes {
    const start = this.position;
    this.position = start + length;
    return this.#source.bytes(start, length);
  }

  /** Bytes from `start` to the cursor, copied (unknown fields). */
  since(start: number): Uint8Array {
    const end = this.position;
    this.position = start;
    this.#need(end - start, end);
    const copy = this.#window.slice(this.#at, this.#at + end - start);
    this.position = end;
    return copy;
  }

  text(length: number, end: number): string {
    const start = this.position;
    this.#need(length, end);
    const text = decodeText(this.#window.subarray(this.#at, this.#at + length));
    if (text === undefined) throw malformed("a text is not valid UTF-8", start);
    this.#at += length;
    return text;
  }

  /** Passes over a field of any wire type; groups without recursion. */
  skip(id: number, wire: number, end: number): void {
    const open: number[] = [];
    for (;;) {
      if (wire === WIRE.VARINT) this.#halves(end);
      else if (wire === WIRE.FIXED64) this.#advance(8, end);
      else if (wire === WIRE.FIXED32) this.#advance(4, end);
      else if (wire === WIRE.LENGTH) this.#advance(this.size(end), end);
      else if (wire === WIRE.GROUP) open.push(id);
      else if (wire !== WIRE.END_GROUP) throw malformed(`wire type ${wire} does not exist`, this.position);
      else if (open.pop() !== id) throw malformed("a group ends that did not begin", this.position);
      if (open.length === 0) return;
      if (open.length > MAX_GROUP_DEPTH) throw malformed(`groups nest deeper than ${MAX_GROUP_DEPTH}`, this.position);
      ({ id, wire } = this.tag(end));
    }
  }

  #advance(count: number, end: number): void {
    if (count > end - this.position) throw malformed("the file ends in the middle of a field", this.position);
    this.position += count;
  }
}
