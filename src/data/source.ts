import { closeSync, createReadStream, fstatSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createGunzip, createInflateRaw } from "node:zlib";
import { CompileError } from "../error.ts";

/** Bytes with random access, in a file or in memory, so that big data stays where it lies. */
export interface Source {
  readonly name: string;
  readonly size: number;
  /** A copy of `length` bytes from `offset`. @throws CompileError where the source is shorter. */
  read(offset: number, length: number): Uint8Array;
  close(): void;
}

/** Inflated data up to this size stays in memory; what is bigger goes to an unnamed temporary file. */
const MEMORY_BYTES = 64 * 2 ** 20;
/** No inflated file is bigger: what claims more is an attack or a mistake. */
const INFLATED_BYTES = 8 * 2 ** 30;

function truncated(name: string, offset: number, length: number, size: number): CompileError {
  return new CompileError(
    "usage/truncated-data",
    `the file ends early: ${offset + length} bytes wanted, ${size} there`,
    {
      where: `${name}, byte ${offset}`,
      remedy: "write the file again",
    },
  );
}

function check(name: string, size: number, offset: number, length: number): void {
  const sane = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!sane || offset + length > size) throw truncated(name, offset, length, size);
}

function ofDescriptor(name: string, file: number, size: number): Source {
  return {
    name,
    size,
    read(offset, length) {
      check(name, size, offset, length);
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const count = readSync(file, bytes, done, length - done, offset + done);
        if (count === 0) throw truncated(name, offset, length, offset + done);
        done += count;
      }
      return bytes;
    },
    close: () => closeSync(file),
  };
}

export function ofBytes(name: string, bytes: Uint8Array): Source {
  const view = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length); // a Buffer's own slice does not copy
  return {
    name,
    size: bytes.length,
    read(offset, length) {
      check(name, bytes.length, offset, length);
      return view.slice(offset, offset + length);
    },
    close() {},
  };
}

/** A part of a source; closing it closes nothing. */
export function part(source: Source, name: string, start: number, size: number): Source {
  check(source.name, source.size, start, size);
  return {
    name,
    size,
    read(offset, length) {
      check(name, size, offset, length);
      return source.read(start + offset, length);
    },
    close() {},
  };
}

/** @throws CompileError where the file is missing or not a regular file. */
export function openSource(path: string, remedy = "check the path; it is relative to the recipe's folder"): Source {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "does not exist" : "cannot be read";
    throw new CompileError("usage/missing-data", `the data file ${reason}`, { where: path, remedy, cause });
  }
  const status = fstatSync(file);
  if (status.isFile()) return ofDescriptor(path, file, status.size);
  closeSync(file);
  throw new CompileError("usage/missing-data", "the data file is not a regular file", { where: path, remedy });
}

/** A file that is plain or gzipped, as what is in it. Throws as `openSource` and `inflate` do. */
export async function openUnzipped(path: string): Promise<Source> {
  const raw = openSource(path);
  if (raw.size < 2 || raw.read(0, 2).join() !== "31,139") return raw;
  raw.close();
  return inflate(path, path, { format: "gzip" });
}

export interface Inflation {
  /** Where the compressed bytes lie in the file; all of it by default. */
  readonly start?: number;
  readonly length?: number;
  readonly format: "gzip" | "deflate";
  /** More than this is refused while inflating, before it is stored. */
  readonly limit?: number;
  /** Called with every inflated piece, in order. */
  readonly seen?: (piece: Uint8Array) => void;
}

/**
 * Inflates a file, or a part of one, piece by piece: into memory while it is small, else into a temporary file that has
 * no name, so that nothing is left behind however the process ends.
 * @throws CompileError where the stream is broken or longer than allowed.
 */
export async function inflate(path: string, name: string, inflation: Inflation): Promise<Source> {
  const { start = 0, length, format, limit = INFLATED_BYTES, seen } = inflation;
  const end = length === undefined ? Number.POSITIVE_INFINITY : start + length - 1;
  const pieces: Uint8Array[] = [];
  let size = 0;
  let file: number | undefined;
  try {
    if (length !== 0) {
      const compressed = createReadStream(path, { start, end });
      const stream = format === "gzip" ? createGunzip() : createInflateRaw();
      compressed.once("error", (error) => stream.destroy(error));
      for await (const piece of compressed.pipe(stream) as AsyncIterable<Uint8Array>) {
        size += piece.length;
        if (size > limit) {
          compressed.destroy();
          throw new CompileError("usage/data-too-big", `the data inflates to more than ${limit} bytes`, {
            where: name,
          });
        }
        seen?.(piece);
        if (file === undefined && size > MEMORY_BYTES) {
          file = openUnnamed();
          for (const early of pieces) writeAll(file, early);
          pieces.length = 0;
        }
        if (file === undefined) pieces.push(piece);
        else writeAll(file, piece);
      }
    }
  } catch (cause) {
    if (file !== undefined) closeSync(file);
    if (cause instanceof CompileError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code?.startsWith("Z_") || code?.startsWith("ERR_")) {
      const what = code === "Z_BUF_ERROR" ? "ends early" : "is broken";
      throw new CompileError("usage/broken-data", `the compressed data ${what}`, { where: name, cause });
    }
    throw new CompileError("usage/missing-data", `the data cannot be inflated: ${code ?? cause}`, {
      where: name,
      cause,
    });
  }
  return file === undefined ? ofBytes(name, Buffer.concat(pieces, size)) : ofDescriptor(name, file, size);
}

let opened = 0;

function openUnnamed(): number {
  const path = join(tmpdir(), `optimus-compile-${process.pid}-${opened++}`);
  const file = openSync(path, "wx+", 0o600);
  rmSync(path);
  return file;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}
