import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { CompileError } from "../error.ts";
import { type Artifact, decodeArtifact, encodeArtifact, type SealedArtifact } from "./container.ts";

/** Readable in one piece by any Node, and far beyond what a chip's memory holds. */
const MAX_FILE = 2 ** 31 - 1;

/** Temporary files of this process that are not yet renamed; none outlives a regular exit. */
const pending = new Set<string>();

function removePending(): void {
  for (const path of pending) rmSync(path, { force: true });
  pending.clear();
}

/** Throws CompileError usage/no-such-file, trust/container, trust/section. */
export function readArtifact(path: string): SealedArtifact {
  return decodeArtifact(readRegularFile(path, "artifact"));
}

export function writeArtifact(path: string, artifact: Artifact): void {
  writeFileAtomic(path, encodeArtifact(artifact));
}

/**
 * The file is there whole or not at all, whatever ends the process: it is written under another name in the same folder,
 * reaches the disk, and is then renamed. Throws CompileError usage/cannot-write.
 */
export function writeFileAtomic(path: string, chunks: readonly (Uint8Array | string)[], mode = 0o666): void {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  if (pending.size === 0) process.once("exit", removePending);
  try {
    rmSync(temporary, { force: true });
    const file = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode);
    pending.add(temporary);
    try {
      for (const chunk of chunks) writeAll(file, typeof chunk === "string" ? Buffer.from(chunk) : chunk);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    if (pending.has(temporary)) rmSync(temporary, { force: true });
    throw fileError(error, path, "usage/cannot-write", "cannot write the file");
  } finally {
    pending.delete(temporary);
    if (pending.size === 0) process.removeListener("exit", removePending);
  }
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** The new name itself must reach the disk, too. Some file systems cannot sync a folder: then the rename must do. */
function syncFolder(path: string): void {
  try {
    const folder = openSync(path, constants.O_RDONLY);
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "EINVAL" && code !== "EPERM" && code !== "EISDIR" && code !== "EACCES") throw error;
  }
}

/** The bytes of a regular file whose size was looked at before. `what` names its role in errors. */
export function readRegularFile(path: string, what: string, limit = MAX_FILE): Uint8Array {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw fileError(error, path, "usage/no-such-file", `cannot open the ${what}`);
  }
  try {
    const state = fstatSync(file);
    if (!state.isFile())
      throw new CompileError("usage/not-a-file", `the ${what} is not a regular file`, { where: path });
    if (state.size > limit) {
      throw new CompileError("usage/file-too-large", `the ${what} has ${state.size} bytes; ${limit} are allowed`, {
        where: path,
      });
    }
    const bytes = new Uint8Array(state.size);
    let end = 0;
    while (end < bytes.length) {
      const read = readSync(file, bytes, end, bytes.length - end, end);
      if (read === 0) break;
      end += read;
    }
    return bytes.subarray(0, end);
  } finally {
    closeSync(file);
  }
}

const PIECE = 16 * 2 ** 20;

/** `sha256:…` of a regular file of any size. Throws as readRegularFile does. */
export function digestOfFile(path: string, what: string): string {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw fileError(error, path, "usage/no-such-file", `cannot open the ${what}`);
  }
  try {
    if (!fstatSync(file).isFile()) {
      throw new CompileError("usage/not-a-file", `the ${what} is not a regular file`, { where: path });
    }
    const hash = createHash("sha256");
    const piece = new Uint8Array(PIECE);
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) hash.update(piece.subarray(0, read));
    return `sha256:${hash.digest("hex")}`;
  } finally {
    closeSync(file);
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: "Check the path; it is looked up from the current folder.",
  EACCES: "Check who may read and write there.",
  ENOSPC: "The disk is full: make room, or choose another folder.",
  EROFS: "The file system can only be read: choose another folder.",
  EISDIR: "A folder of that name is in the way.",
  ENOTDIR: "A part of the path is no folder.",
};

function fileError(error: unknown, path: string, code: "usage/cannot-write" | "usage/no-such-file", message: string) {
  const system = (error as NodeJS.ErrnoException).code;
  if (system === undefined) return error;
  const remedy = REMEDIES[system];
  return new CompileError(
    code,
    `${message} (${system})`,
    remedy === undefined ? { where: path } : { where: path, remedy },
  );
}

/** Whether a process runs; somebody else's, too. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" || existsSync(`/proc/${pid}`);
  }
}
