import { CompileError } from "../error.ts";

/** Reads little-endian bytes that somebody else wrote: every step is bounds-checked, every failure is `trust/bad-program`. */
export class Reader {
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly section: string;
  private at = 0;

  constructor(bytes: Uint8Array, section: string) {
    this.bytes = bytes;
    this.section = section;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(message: string): never {
    throw new CompileError("trust/bad-program", `the section "${this.section}" is damaged: ${message}`, {
      where: `${this.section}, byte ${this.at}`,
      remedy: "get the artifact again from where it was built",
    });
  }

  private take(count: number): number {
    const from = this.at;
    if (count > this.bytes.length - from) this.fail(`${count} bytes are missing`);
    this.at = from + count;
    return from;
  }

  u8(): number {
    return this.view.getUint8(this.take(1));
  }

  u16(): number {
    return this.view.getUint16(this.take(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.take(4), true);
  }

  i64(): number {
    const from = this.take(8);
    const value = this.view.getInt32(from + 4, true) * 2 ** 32 + this.view.getUint32(from, true);
    if (!Number.isSafeInteger(value)) this.fail("an integer is beyond 53 bits");
    return value;
  }

  u64(): number {
    const value = this.i64();
    if (value < 0) this.fail("a size or address is negative");
    return value;
  }

  f32(): number {
    return this.view.getFloat32(this.take(4), true);
  }

  flag(): boolean {
    const value = this.u8();
    if (value > 1) this.fail(`${value} is neither 0 nor 1`);
    return value === 1;
  }

  /** One of `names` by its place in the list. */
  choice<T>(names: readonly T[], what: string): T {
    const code = this.u8();
    if (code >= names.length) this.fail(`there is no ${what} ${code}`);
    return names[code];
  }

  magic(text: string): void {
    for (let index = 0; index < text.length; index++) {
      if (this.u8() !== text.charCodeAt(index)) this.fail(`it does not begin with ${text}`);
    }
  }

  text(): string {
    const length = this.u32();
    const from = this.take(length);
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
        this.bytes.subarray(from, from + length),
      );
    } catch {
      return this.fail("a name is not UTF-8");
    }
  }

  /** `size`: the least bytes an item can take, so that a false length cannot make us allocate. */
  list<T>(size: number, read: () => T): T[] {
    const length = this.u32();
    if (length * size > this.bytes.length - this.at) this.fail(`a list claims ${length} items`);
    const items = new Array<T>(length);
    for (let index = 0; index < length; index++) items[index] = read();
    return items;
  }

  optional<T>(read: () => T): T | undefined {
    return this.flag() ? read() : undefined;
  }

  end(): void {
    if (this.at !== this.bytes.length) this.fail(`${this.bytes.length - this.at} bytes too many`);
  }
}
