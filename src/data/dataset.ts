import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import type { z } from "zod";
import { CompileError } from "../error.ts";
import { didYouMean } from "../suggest.ts";

/**
 * Labelled data as every stage sees it: numbered samples, each a deterministic function of the specification and the
 * index, so that any worker can read any of them. A reader is a file in `readers/`; its path is its name.
 */

/** The element types that data can have; a subset of the graph's, with the same names and the same arrays. */
export type DataType =
  | "float32"
  | "float64"
  | "float16"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool";

export type DataValues =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Structurally a tensor of the graph: row-major; float16 as the bits in a Uint16Array, bool as 0 or 1 in a Uint8Array. */
export interface DataArray {
  readonly dtype: DataType;
  readonly shape: readonly number[];
  readonly data: DataValues;
}

export interface Sample {
  /** Unique in its dataset. */
  readonly id: string;
  /** What the sample came from: page, speaker, document. Samples of one group are not independent of each other. */
  readonly group: string;
  /** Samples of one sequence follow each other; a model's state starts anew with each sequence. */
  readonly sequence?: string;
  /** What the evidence is also reported by: font, noise, class. */
  readonly slices: ReadonlyMap<string, string>;
  readonly inputs: ReadonlyMap<string, DataArray>;
  readonly target?: DataArray | string;
  /** sha256 of the inputs' content, in hexadecimal. */
  readonly hash: string;
}

/** Consecutive samples that one state runs through. */
export interface SequenceRange {
  readonly name: string;
  readonly start: number;
  readonly length: number;
}

export interface Description {
  readonly reader: string;
  readonly length: number;
  /** Of one sample, with its batch axis of 1. */
  readonly inputs: readonly { readonly name: string; readonly dtype: DataType; readonly shape: readonly number[] }[];
  /** Where the data comes from, for people: files, packages, seeds. */
  readonly source: string;
}

export interface Dataset {
  readonly length: number;
  /** Where samples belong to sequences: all of them, in order. */
  readonly sequences?: readonly SequenceRange[];
  /** @throws CompileError where the file is not what it said; RangeError never: the index must be < length. */
  read(index: number): Promise<Sample>;
  describe(): Description;
  /**
   * sha256, in hexadecimal, over all that decides the samples besides options and this program: files, and the library
   * that draws. For readers whose samples cost much more than this, so that they are not made again to be compared.
   */
  origin?(): string;
  /** Releases files. Reading afterwards is a bug. */
  close(): void;
}

/** `{npz: FILE, …}` or `{reader: NAME, …options}`, as the recipe has it. */
export type DataSpec = Readonly<Record<string, unknown>>;

export interface Reader<O = unknown> {
  /** One sentence for the generated list of readers. */
  readonly summary: string;
  readonly options: z.ZodType<O>;
  /** `folder`: what relative paths are relative to. */
  open(options: O, folder: string): Promise<Dataset>;
}

const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

/** The reader of that name. @throws CompileError where there is none. */
export async function findReader(name: string): Promise<Reader> {
  const url = new URL(`./readers/${name}${extension}`, import.meta.url);
  if (!/^[a-z0-9-]+$/.test(name) || !existsSync(url)) {
    throw new CompileError("usage/unknown-reader", `there is no data reader ${JSON.stringify(name)}`, {
      remedy: "use {npz: FILE}, or one of the readers in src/data/readers",
    });
  }
  return ((await import(url.href)) as { default: Reader }).default;
}

/**
 * Opens the data that a recipe names. Memory does not grow with the number of samples.
 * @throws CompileError where the reader or an option is unknown, a file is missing or broken, or no sample is left.
 */
export async function openDataset(spec: DataSpec, folder: string): Promise<Dataset> {
  const { npz, reader: name, ...rest } = spec;
  if ((npz === undefined) === (name === undefined)) {
    throw new CompileError("usage/data", "data is either {npz: FILE} or {reader: NAME, …}", {
      where: JSON.stringify(spec),
    });
  }
  const reader = await findReader(npz === undefined ? String(name) : "npz");
  const parsed = reader.options.safeParse(npz === undefined ? rest : { ...rest, path: npz });
  if (!parsed.success) throw optionError(npz === undefined ? String(name) : "npz", parsed.error.issues[0], reader);
  const dataset = await reader.open(parsed.data, folder);
  if (dataset.length > 0) return dataset;
  dataset.close();
  throw new CompileError("usage/empty-data", "the data has no samples", {
    where: dataset.describe().source,
    remedy: "check the file, `offset`, `limit` and `split`",
  });
}

function optionError(name: string, issue: z.core.$ZodIssue, reader: Reader): CompileError {
  const where = [`data reader ${name}`, ...issue.path.map(String)].join(", ");
  if (issue.code !== "unrecognized_keys") return new CompileError("usage/data-option", issue.message, { where });
  const { shape = {} } = reader.options as { shape?: object };
  const known = Object.keys(shape).filter((key) => name !== "npz" || key !== "path");
  const [key] = issue.keys;
  const message = `the data reader ${name} has no option ${JSON.stringify(key)}`;
  return new CompileError("usage/data-option", message, { where, remedy: didYouMean(key, known) });
}

/** sha256 over every input's name, type, shape and little-endian bytes, by name. */
export function hashInputs(inputs: ReadonlyMap<string, DataArray>): string {
  const hash = createHash("sha256");
  for (const name of [...inputs.keys()].sort()) {
    const { dtype, shape, data } = inputs.get(name)!;
    hash.update(`${JSON.stringify(name)} ${dtype}[${shape.join(",")}]\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}

/** A sample whose hash, and whose group where none is given (its own content), are only computed when read. */
export function makeSample(
  parts: Omit<Sample, "hash" | "group" | "slices"> & { group?: string; slices?: ReadonlyMap<string, string> },
): Sample {
  let hash: string | undefined;
  const hashed = (): string => {
    hash ??= hashInputs(parts.inputs);
    return hash;
  };
  return {
    ...parts,
    slices: parts.slices ?? new Map(),
    get hash() {
      return hashed();
    },
    get group() {
      return parts.group ?? hashed();
    },
  };
}
