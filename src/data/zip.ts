import { crc32 } from "node:zlib";
import { CompileError } from "../error.ts";
import { inflate, ofBytes, part, type Source } from "./source.ts";

/** A zip archive's directory and entries: what numpy.savez writes, stored or deflated, zip64 included. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly compressed: number;
  readonly size: number;
  readonly crc: number;
  /** Where the local header lies. */
  readonly offset: number;
}

const END = 0x06054b50;
const END64 = 0x06064b50;
const END64_LOCATOR = 0x07064b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 65535;
const MAX_ENTRIES = 10_000;
const MAX_DIRECTORY_BYTES = 16 * 2 ** 20;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;

function broken(source: Source, message: string): CompileError {
  const remedy = "write the archive again with numpy.savez";
  return new CompileError("usage/broken-npz", message, { where: source.name, remedy });
}

function viewOf(source: Source, offset: number, length: number): DataView {
  const bytes = source.read(offset, length);
  return new DataView(bytes.buffer, bytes.byteOffset, length);
}

function wide(view: DataView, offset: number, source: Source): number {
  const value = Number(view.getBigUint64(offset, true));
  if (!Number.isSafeInteger(value)) throw broken(source, "a size in the archive is not a sane number");
  return value;
}

/** @throws CompileError where the archive is broken, too big a directory, encrypted, or names an entry twice. */
export function readDirectory(source: Source): Map<string, ZipEntry> {
  const { count, length, offset } = findDirectory(source);
  if (count > MAX_ENTRIES || length > MAX_DIRECTORY_BYTES) throw broken(source, `a directory of ${count} entries`);
  const view = viewOf(source, offset, length);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 46 > length || view.getUint32(at, true) !== CENTRAL) throw broken(source, "the directory is broken");
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const end = at + 46 + nameLength + extraLength + view.getUint16(at + 32, true);
    if (end > length) throw broken(source, "the directory is broken");
    const name = Buffer.from(view.buffer, view.byteOffset + at + 46, nameLength).toString("utf8");
    if (entries.has(name)) throw broken(source, `the archive holds ${JSON.stringify(name)} twice`);
    if (view.getUint16(at + 8, true) & ENCRYPTED) throw broken(source, `${JSON.stringify(name)} is encrypted`);
    const sizes = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
    widen(sizes, new DataView(view.buffer, view.byteOffset + at + 46 + nameLength, extraLength), source);
    const [size, compressed, localOffset] = sizes;
    const method = view.getUint16(at + 10, true);
    entries.set(name, { name, method, compressed, size, crc: view.getUint32(at + 16, true), offset: localOffset });
    at = end;
  }
  return entries;
}

/** Sizes of 0xffffffff stand in the zip64 field instead, in this order. */
function widen(sizes: number[], extra: DataView, source: Source): void {
  let at = 0;
  while (at + 4 <= extra.byteLength) {
    const [id, length] = [extra.getUint16(at, true), extra.getUint16(at + 2, true)];
    const end = at + 4 + length;
    if (end > extra.byteLength) return;
    let next = at + 4;
    for (let which = 0; id === 1 && which < sizes.length; which++) {
      if (sizes[which] !== 0xffffffff || next + 8 > end) continue;
      sizes[which] = wide(extra, next, source);
      next += 8;
    }
    at = end;
  }
}

function findDirectory(source: Source): { count: number; length: number; offset: number } {
  const tail = Math.min(source.size, END_BYTES + MAX_COMMENT_BYTES);
  const start = source.size - tail;
  const view = viewOf(source, start, tail);
  let at = tail - END_BYTES;
  while (at >= 0 && view.getUint32(at, true) !== END) at--;
  if (at < 0) throw broken(source, "this is not an .npz archive, or its end is missing");
  const found = {
    count: view.getUint16(at + 10, true),
    length: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  };
  const locator = at - 20;
  if (locator < 0 || view.getUint32(locator, true) !== END64_LOCATOR) return found;
  const end64 = viewOf(source, wide(view, locator + 8, source), 56);
  if (end64.getUint32(0, true) !== END64) throw broken(source, "the directory is broken");
  return { count: wide(end64, 32, source), length: wide(end64, 40, source), offset: wide(end64, 48, source) };
}

/**
 * An entry's bytes: read where they lie if stored, inflated once if deflated, checked against length and CRC.
 * @throws CompileError where the entry is broken or compressed in another way.
 */
export async function openEntry(source: Source, entry: ZipEntry): Promise<Source> {
  const name = `${source.name}, ${JSON.stringify(entry.name)}`;
  const local = viewOf(source, entry.offset, 30);
  if (local.getUint32(0, true) !== LOCAL)
    throw broken(source, `${JSON.stringify(entry.name)} is not where the directory says`);
  const start = entry.offset + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  if (start + entry.compressed > source.size) throw broken(source, `${JSON.stringify(entry.name)} ends early`);
  if (entry.method === STORED) {
    if (entry.size !== entry.compressed) throw broken(source, `${JSON.stringify(entry.name)} has two sizes`);
    return part(source, name, start, entry.size);
  }
  if (entry.method !== DEFLATED) throw broken(source, `${JSON.stringify(entry.name)} is compressed in an unknown way`);
  if (entry.compressed === 0) return ofBytes(name, new Uint8Array(0));
  let crc = 0;
  const inflated = await inflate(source.name, name, {
    start,
    length: entry.compressed,
    format: "deflate",
    limit: entry.size,
    seen: (piece) => {
      crc = crc32(piece, crc);
    },
  });
  if (inflated.size === entry.size && crc === entry.crc) return inflated;
  inflated.close();
  throw broken(source, `${JSON.stringify(entry.name)} is damaged: its length or checksum is wrong`);
}
