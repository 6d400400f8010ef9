import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CompileError } from "../error.ts";
import { byteSize, type Graph, type Tensor } from "../ir/graph.ts";
import { bytesOf } from "../ir/tensor.ts";
import { canonicalDomain } from "./decode-graph.ts";
import { encode } from "./encode.ts";
import { encodeGraph } from "./encode-graph.ts";
import { extraOf } from "./extra.ts";
import { withQdq } from "./qdq.ts";
import type { ModelProto, StringStringEntryProto, TensorProto } from "./schema.ts";
import { encodeTensor } from "./tensor.ts";

export interface WriteOptions {
  /** Weights go into a file beside the model: always, never, or (auto) where the model would pass protobuf's 2 GiB. */
  readonly external?: "auto" | "always" | "never";
}

/** Weights above this make the model external; the rest of the 2 GiB is for the graph itself. */
const EXTERNAL_FROM_BYTES = 1_900_000_000;
/** Smaller tensors (shapes, scales) stay in the model, where every tool can read them. */
const EXTERNAL_TENSOR_BYTES = 1024;
/** So that a reader can map the file. */
const EXTERNAL_ALIGNMENT = 4096;

/** Node writes and hashes at most 2^31 − 1 bytes in one call. */
const MAX_STEP_BYTES = 2 ** 30;

/** The IR version that came with each opset from 21 on; older ones are content with 10. */
const IR_OF_OPSET = new Map([
  [23, 11],
  [24, 12],
  [25, 13],
]);
const CANONICAL_IR = 10;

/** A model as bytes, weights inside. A graph that was read and not changed keeps its opset, IR version and texts. */
export function encodeModel(graph: Graph): Uint8Array {
  return encode(
    "ModelProto",
    toProto(graph, (tensor, name) => encodeTensor(tensor, name)),
  );
}

/** Writes a model that appears at `path` whole or not at all. Throws `usage/cannot-write`. */
export function writeModel(graph: Graph, path: string, options: WriteOptions = {}): void {
  const mode = options.external ?? "auto";
  if (mode === "always" || (mode === "auto" && weightBytes(graph) > EXTERNAL_FROM_BYTES)) writeExternal(graph, path);
  else writeAtomically(path, (put) => put(encodeModel(graph)));
}

function toProto(graph: Graph, tensor: (tensor: Tensor, name: string) => TensorProto): ModelProto {
  const model = extraOf(graph)?.model;
  const opset = graph.opsets.get("") ?? 0;
  const least = opset >= 21 ? (IR_OF_OPSET.get(opset) ?? CANONICAL_IR) : 0;
  const read = Number(model?.irVersion ?? 0);
  const irVersion = Math.max(model ? read : CANONICAL_IR, least);
  return {
    ...model,
    irVersion,
    ...(model ? {} : { producerName: "optimus-compile" }),
    graph: encodeGraph(withQdq(graph), { keepInputs: irVersion === read, tensor }),
    opsetImport: [...graph.opsets].map(
      ([domain, version]) =>
        model?.opsetImport?.find((entry) => canonicalDomain(entry.domain) === domain && entry.version === version) ?? {
          domain,
          version,
        },
    ),
    metadataProps: [...graph.metadata].map(
      ([key, value]) =>
        model?.metadataProps?.find((entry) => entry.key === key && entry.value === value) ?? { key, value },
    ),
  };
}

function weightBytes(graph: Graph): number {
  let total = 0;
  for (const tensor of graph.constants.values()) total += byteSize(tensor.dtype, tensor.shape);
  return total;
}

/**
 * The weights' file is named after its content: a crash between the two renames leaves the old model with its old
 * weights, and never one model with another's.
 */
function writeExternal(graph: Graph, path: string): void {
  const folder = dirname(path);
  const hash = createHash("sha256");
  const temporary = temporaryName(path, "weights");
  let offset = 0;
  const pending: { entries: StringStringEntryProto[] }[] = [];
  try {
    let proto: ModelProto | undefined;
    writeSynced(temporary, (put) => {
      const append = (bytes: Uint8Array): void => {
        for (let done = 0; done < bytes.length; done += MAX_STEP_BYTES) {
          hash.update(bytes.subarray(done, done + MAX_STEP_BYTES));
        }
        put(bytes);
        offset += bytes.length;
      };
      proto = toProto(graph, (tensor, name) => {
        const length = byteSize(tensor.dtype, tensor.shape);
        if (tensor.dtype === "string" || length < EXTERNAL_TENSOR_BYTES) return encodeTensor(tensor, name);
        const gap = (EXTERNAL_ALIGNMENT - (offset % EXTERNAL_ALIGNMENT)) % EXTERNAL_ALIGNMENT;
        if (gap > 0) append(new Uint8Array(gap));
        const entries = [
          { key: "location", value: "" },
          { key: "offset", value: String(offset) },
          { key: "length", value: String(length) },
        ];
        append(bytesOf(tensor));
        pending.push({ entries });
        const { rawData: _, ...rest } = encodeTensor({ ...tensor, data: new Uint8Array() }, name);
        return { ...rest, externalData: entries, dataLocation: 1 };
      });
    });
    const location = `${basename(path)}.${hash.digest("hex").slice(0, 16)}.data`;
    for (const { entries } of pending) entries[0].value = location;
    if (pending.length > 0) renameSync(temporary, join(folder, location));
    writeAtomically(path, (put) => put(encode("ModelProto", proto as ModelProto)));
  } catch (error) {
    throw writeError(error, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function temporaryName(path: string, what: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}.${what}.tmp`);
}

function writeSynced(path: string, fill: (put: (bytes: Uint8Array) => void) => void): void {
  const descriptor = openSync(path, "wx");
  try {
    fill((bytes) => {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(descriptor, bytes, done, Math.min(bytes.length - done, MAX_STEP_BYTES));
      }
    });
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function writeAtomically(path: string, fill: (put: (bytes: Uint8Array) => void) => void): void {
  const temporary = temporaryName(path, "model");
  try {
    rmSync(temporary, { force: true });
    writeSynced(temporary, fill);
    renameSync(temporary, path);
  } catch (error) {
    throw writeError(error, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function writeError(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof CompileError || typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return error;
  return new CompileError("usage/cannot-write", `the file cannot be written (${code})`, {
    where: path,
    remedy: code === "ENOSPC" ? "free some disk space" : "check the folder and its permissions",
  });
}
