import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, realpathSync, type Stats } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { CompileError } from "../error.ts";
import type { FileBytes } from "./schema.ts";
import type { Source } from "./wire.ts";

/**
 * Files that a model is read from. Each is opened once, checked through its descriptor, and then only read through that
 * descriptor: what was checked is what is read.
 */

/** Models up to here are read whole; of larger ones, weights stay in the file. */
const WHOLE_FILE_BYTES = 32 * 2 ** 20;
const WINDOW_BYTES = 2 ** 20;
/** Payloads from here on stay in a large file until asked for. */
const LAZY_BYTES = 4096;
/** Node reads at most 2^31 − 1 bytes in one call. */
const MAX_STEP_BYTES = 2 ** 30;
/** Protobuf ends at 2 GiB; what is larger must be external data. */
const MAX_MODEL_BYTES = 2 ** 31 - 1;

export interface OpenFile {
  readonly length: number;
  /** Copies a range into memory of its own. */
  read(start: number, length: number): Uint8Array;
  /** A range that stays in the file. */
  range(start: number, length: number): FileBytes;
}

/** A descriptor is closed when nothing refers to its file any more: lazy weights may outlive the import. */
const descriptors = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor));

function openChecked(path: string, allow: (stats: Stats) => string | undefined, flags: number): OpenFile {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  let stats: Stats;
  try {
    stats = fstatSync(descriptor);
    const refusal = stats.isFile() ? allow(stats) : "it is not a regular file";
    if (refusal !== undefined) throw new CompileError("model/unsafe-file", refusal, { where: path });
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  const file: OpenFile = {
    length: stats.size,
    read(start, length) {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const count = readSync(descriptor, bytes, done, Math.min(length - done, MAX_STEP_BYTES), start + done);
        if (count === 0) {
          throw new CompileError("model/changed-file", "the file became shorter while it was read", { where: path });
        }
        done += count;
      }
      return bytes;
    },
    range(start, length) {
      // Kept for as long as somebody holds it: several readers of one weight read the file once.
      let last: WeakRef<Uint8Array> | undefined;
      const read = (): Uint8Array => {
        const bytes = last?.deref() ?? file.read(start, length);
        last = new WeakRef(bytes);
        return bytes;
      };
      return { lazy: true, byteLength: length, read };
    },
  };
  descriptors.register(file, descriptor);
  return file;
}

/** The user names this file, so a symbolic link is fine. Throws `usage/…` where there is none. */
export function openModel(path: string): { source: Source; folder: string } {
  let real: string;
  let file: OpenFile;
  try {
    real = realpathSync(path);
    file = openChecked(real, () => undefined, 0);
  } catch (error) {
    throw fileError(error, path);
  }
  const folder = resolve(real, "..");
  if (file.length === 0) {
    throw new CompileError("model/empty", "the file is empty", { where: path, remedy: "export the model again" });
  }
  if (file.length > MAX_MODEL_BYTES) {
    throw new CompileError("model/too-large", `the file has ${file.length} bytes and protobuf ends at 2 GiB`, {
      where: path,
      remedy: "export the model with its weights as external data",
    });
  }
  if (file.length <= WHOLE_FILE_BYTES) {
    const whole = file.read(0, file.length);
    return {
      folder,
      source: {
        length: whole.length,
        window: (start) => whole.subarray(start),
        bytes: (start, length) => whole.subarray(start, start + length),
      },
    };
  }
  return {
    folder,
    source: {
      length: file.length,
      window: (start, least) => file.read(start, Math.min(file.length - start, Math.max(least, WINDOW_BYTES))),
      bytes: (start, length) => (length < LAZY_BYTES ? file.read(start, length) : file.range(start, length)),
    },
  };
}

function fileError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException)?.code;
  if (error instanceof CompileError || code === undefined) return error;
  if (code === "ENOENT" || code === "ENOTDIR") {
    return new CompileError("usage/no-such-file", "there is no such file", { where: path, remedy: "check the path" });
  }
  return new CompileError("usage/unreadable-file", `the file cannot be read (${code})`, { where: path });
}

/** Opens a model's external data files, each once. */
export function externalFiles(folder: string): (location: string, where: string) => OpenFile {
  const opened = new Map<string, OpenFile>();
  return (location, where) => {
    const known = opened.get(location);
    if (known) return known;
    const file = openExternal(folder, location, where);
    opened.set(location, file);
    return file;
  };
}

function openExternal(folder: string, location: string, where: string): OpenFile {
  const refuse = (reason: string) =>
    new CompileError("model/unsafe-external-data", `external data ${JSON.stringify(location)}: ${reason}`, {
      where,
      remedy: "external data must be a plain file in the model's own folder",
    });
  const parts = location.split("/");
  if (location === "") throw refuse("the location is empty");
  if (location.includes("\0")) throw refuse("the location has a NUL character");
  if (location.includes("\\")) throw refuse("the location has a backslash");
  if (isAbsolute(location) || /^[a-zA-Z]:/.test(location)) throw refuse("the location is absolute");
  if (parts.includes("..")) throw refuse("the location leaves its folder with ..");
  const path = join(folder, location);
  try {
    // Every folder on the way must be a real one, and the whole must stay below the model's folder.
    const real = realpathSync(path);
    const inside = relative(folder, real);
    if (inside === "" || inside.startsWith(`..${sep}`) || isAbsolute(inside)) throw refuse("it lies elsewhere");
    if (real !== resolve(path) || lstatSync(path).isSymbolicLink()) throw refuse("there is a symbolic link on the way");
    return openChecked(
      path,
      (stats) => (stats.nlink === 1 ? undefined : "it is hard-linked from elsewhere too"),
      constants.O_NOFOLLOW,
    );
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (error instanceof CompileError) throw error.code === "model/unsafe-file" ? refuse(error.message) : error;
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new CompileError(
        "model/no-external-data",
        `the external data file ${JSON.stringify(location)} is missing`,
        {
          where,
          remedy: "put it beside the model, as its exporter wrote it",
        },
      );
    }
    throw refuse(code === "ELOOP" ? "it is a symbolic link" : `it cannot be read (${code})`);
  }
}
