import { bug } from "../error.ts";

/** Grows a little-endian byte array. Every number is checked: a value that does not fit its field is a bug of ours. */
export class Writer {
  private buffer = new Uint8Array(4096);
  private view = new DataView(this.buffer.buffer);
  private length = 0;

  private reserve(bytes: number): number {
    const at = this.length;
    this.length += bytes;
    if (this.length > this.buffer.length) {
      const grown = new Uint8Array(Math.max(this.length, this.buffer.length * 2));
      grown.set(this.buffer);
      this.buffer = grown;
      this.view = new DataView(grown.buffer);
    }
    return at;
  }

  private check(value: number, low: number, high: number): number {
    if (!Number.isInteger(value) || value < low || value > high) bug(`${value} is not within [${low}, ${high}]`);
    return value;
  }

  u8(value: number): void {
    const at = this.reserve(1);
    this.view.setUint8(at, this.check(value, 0, 0xff));
  }

  u16(value: number): void {
    const at = this.reserve(2);
    this.view.setUint16(at, this.check(value, 0, 0xffff), true);
  }

  u32(value: number): void {
    const at = this.reserve(4);
    this.view.setUint32(at, this.check(value, 0, 0xffffffff), true);
  }

  /** Below 2^53: what a double holds exactly. */
  u64(value: number): void {
    this.check(value, 0, Number.MAX_SAFE_INTEGER);
    this.i64(value);
  }

  i64(value: number): void {
    this.check(value, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    const at = this.reserve(8);
    const high = Math.floor(value / 2 ** 32);
    this.view.setUint32(at, value - high * 2 ** 32, true);
    this.view.setInt32(at + 4, high, true);
  }

  f32(value: number): void {
    if (Math.fround(value) !== value) bug(`${value} is not a float32`);
    const at = this.reserve(4);
    this.view.setFloat32(at, value, true);
  }

  flag(value: boolean): void {
    this.u8(value ? 1 : 0);
  }

  ascii(text: string): void {
    for (const character of text) this.u8(character.charCodeAt(0));
  }

  text(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u32(bytes.length);
    const at = this.reserve(bytes.length);
    this.buffer.set(bytes, at);
  }

  list<T>(items: readonly T[], write: (item: T) => void): void {
    this.u32(items.length);
    for (const item of items) write(item);
  }

  bytes(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}
