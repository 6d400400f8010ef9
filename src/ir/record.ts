/**
 * The bytes of a graph: its text in the one notation, and beside it the tensors that are too large to stand in it. The
 * same graph gives the same bytes. This is the quantization record that an artifact seals: scales, codes and tables are
 * decided here, and everything after it is integer work that comes out equal on every machine.
 *
 *     "OCREC1\0\0" · u32 length of the index · index (JSON) · text (UTF-8) · tensors, each at a multiple of 64 bytes
 */
import { CompileError } from "../error.ts";
import { byteSize, type DType, type Graph, type Tensor } from "./graph.ts";
import { bytesOf, viewBytes } from "./tensor.ts";
import { parse, print } from "./text.ts";

const MAGIC = "OCREC1\0\0";
const ALIGNMENT = 64;
const LIMITS = { tensors: 100_000, index: 16 * 2 ** 20, text: 256 * 2 ** 20 };

interface Index {
  readonly text: number;
  readonly tensors: readonly { readonly dtype: string; readonly shape: readonly number[]; readonly offset: number }[];
}

const align = (offset: number) => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;

export function encodeRecord(graph: Graph): Uint8Array {
  const tensors: Tensor[] = [];
  const text = new TextEncoder().encode(print(graph, { tensors }));
  let end = 0;
  const places = tensors.map((tensor) => {
    if (tensor.dtype === "string") throw new Error("bug: a record holds no strings");
    const offset = align(end);
    end = offset + byteSize(tensor.dtype, tensor.shape);
    return { dtype: tensor.dtype, shape: tensor.shape, offset };
  });
  const index = new TextEncoder().encode(JSON.stringify({ text: text.length, tensors: places } satisfies Index));
  const start = align(MAGIC.length + 4 + index.length + text.length);
  const bytes = new Uint8Array(start + end);
  bytes.set(new TextEncoder().encode(MAGIC));
  new DataView(bytes.buffer).setUint32(MAGIC.length, index.length, true);
  bytes.set(index, MAGIC.length + 4);
  bytes.set(text, MAGIC.length + 4 + index.length);
  tensors.forEach((tensor, at) => {
    bytes.set(bytesOf(tensor), start + places[at].offset);
  });
  return bytes;
}

/** Throws CompileError trust/record where the bytes are not a record; nothing is allocated before it was checked. */
export function decodeRecord(bytes: Uint8Array): Graph {
  const head = MAGIC.length + 4;
  if (bytes.length < head || new TextDecoder().decode(bytes.subarray(0, MAGIC.length)) !== MAGIC) {
    return broken("it does not begin as a record");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const indexLength = view.getUint32(MAGIC.length, true);
  if (indexLength > LIMITS.index || head + indexLength > bytes.length) return broken("its index is cut off");
  const index = parseIndex(bytes.subarray(head, head + indexLength));
  const textEnd = head + indexLength + index.text;
  if (index.text > LIMITS.text || textEnd > bytes.length) return broken("its text is cut off");
  const start = align(textEnd);
  const tensors = index.tensors.map(({ dtype, shape, offset }, at): Tensor => {
    const length = sizeOf(dtype as DType, shape);
    if (length === undefined || start + offset + length > bytes.length) return broken(`tensor ${at} is out of bounds`);
    const data = viewBytes(dtype as DType, count(shape), bytes.subarray(start + offset, start + offset + length));
    return { dtype: dtype as DType, shape, data };
  });
  try {
    return parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(head + indexLength, textEnd)),
      tensors,
    );
  } catch (error) {
    return broken(error instanceof Error ? error.message : String(error));
  }
}

function parseIndex(bytes: Uint8Array): Index {
  let index: Index;
  try {
    index = JSON.parse(new TextDecoder().decode(bytes)) as Index;
  } catch {
    return broken("its index is no JSON");
  }
  const sane =
    isSize(index?.text) &&
    Array.isArray(index.tensors) &&
    index.tensors.length <= LIMITS.tensors &&
    index.tensors.every((entry) => isSize(entry?.offset) && entry.offset % ALIGNMENT === 0 && isShape(entry.shape));
  return sane ? index : broken("its index is malformed");
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isShape = (shape: unknown): shape is number[] =>
  Array.isArray(shape) && shape.length <= 32 && shape.every(isSize);
const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

function sizeOf(dtype: DType, shape: readonly number[]): number | undefined {
  try {
    const size = byteSize(dtype, shape);
    return Number.isSafeInteger(size) ? size : undefined;
  } catch {
    return undefined;
  }
}

function broken(reason: string): never {
  throw new CompileError("trust/record", `the quantization record cannot be read: ${reason}`, {
    remedy: "build the artifact again",
  });
}
