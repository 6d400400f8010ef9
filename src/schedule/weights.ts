import { createHash } from "node:crypto";
import type { Tensor } from "../ir/graph.ts";
import { bytesOf, isLazy } from "../ir/tensor.ts";
import { alignUp } from "./allocate.ts";
import { STORAGE_BYTES } from "./program.ts";
import { type Box, boxView, elementsOf, type Root, type View } from "./view.ts";

/** Every piece of the weights section begins on a whole DRAM burst. */
const ALIGNMENT = 64;
/** Constants that are kept while the section is written: neighbouring pieces come from the same few. */
const KEPT = 16;

/** The codes of a constant, little-endian. Equal keys mean equal codes. */
export interface Codes {
  readonly key: string;
  read(): Uint8Array;
}

const known = new WeakMap<object, Codes>();
let count = 0;

/** A tensor's codes. Those that are made or read when they are asked for are told apart by identity, others by content. */
export function codesOf(tensor: Tensor): Codes {
  const found = known.get(tensor.data);
  if (found) return found;
  const codes: Codes = isLazy(tensor.data)
    ? { key: `lazy ${count++}`, read: () => bytesOf(tensor) }
    : { key: createHash("sha256").update(bytesOf(tensor)).digest("base64"), read: () => bytesOf(tensor) };
  known.set(tensor.data, codes);
  return codes;
}

/** A part of a constant, and where it lies in its piece. */
export interface Part {
  readonly view: View;
  readonly at: number;
}

/** The weights section while it grows. Equal pieces are stored once; none is made before the section is asked for. */
export class Weights {
  private readonly pieces: { readonly offset: number; readonly parts: readonly Part[] }[] = [];
  private readonly offsets = new Map<string, number>();
  private length = 0;
  private section: Uint8Array | undefined;

  /** The offset of a piece of constants, which is its DRAM address too. */
  add(parts: readonly Part[], bytes: number): number {
    const key = parts.map(({ view, at }) => `${at} ${keyOf(view)}`).join(" | ");
    const found = this.offsets.get(key);
    if (found !== undefined) return found;
    const offset = this.length;
    this.offsets.set(key, offset);
    this.pieces.push({ offset, parts });
    this.length = alignUp(offset + bytes, ALIGNMENT);
    return offset;
  }

  get byteLength(): number {
    return this.length;
  }

  /** Made on the first call. */
  bytes(): Uint8Array {
    this.section ??= this.write();
    return this.section;
  }

  private write(): Uint8Array {
    const section = new Uint8Array(this.length);
    const kept = new Map<Codes, Uint8Array>();
    const read = (codes: Codes): Uint8Array => {
      const bytes = kept.get(codes) ?? codes.read();
      if (kept.size === KEPT && !kept.has(codes)) kept.delete([...kept.keys()][0]);
      kept.set(codes, bytes);
      return bytes;
    };
    for (const { offset, parts } of this.pieces)
      for (const { view, at } of parts) copyView(view, read(codesOfView(view)), section, offset + at);
    return section;
  }
}

function codesOfView({ root }: View): Codes {
  if (root.codes === undefined) throw new Error(`bug: ${root.name} is no constant`);
  return root.codes;
}

function keyOf(view: View): string {
  const { offset, shape, strides, root } = view;
  return `${codesOfView(view).key} ${root.dtype} ${offset} ${shape} ${strides}`;
}

/** What a view shows of a constant as a constant of its own, without gaps. */
export function packedConstant(view: View): Root {
  const { name, dtype } = view.root;
  const bytes = elementsOf(view.shape) * STORAGE_BYTES[dtype];
  const read = () => {
    const packed = new Uint8Array(bytes);
    copyView(view, codesOfView(view).read(), packed, 0);
    return packed;
  };
  return { name, dtype, shape: view.shape, bytes, kind: "constant", codes: { key: keyOf(view), read } };
}

/** A box of a constant view. */
export function partOfConstant(view: View, box: Box, at: number): Part {
  return { view: boxView(view, box), at };
}

/** The codes of a constant view, compact, into `target` at `at`. */
function copyView({ root, offset, shape, strides }: View, data: Uint8Array, target: Uint8Array, at: number): void {
  const size = STORAGE_BYTES[root.dtype];
  // Trailing axes that lie contiguously are copied as one run.
  let run = 1;
  let axis = shape.length - 1;
  for (; axis >= 0 && (shape[axis] === 1 || strides[axis] === run); axis--) run *= shape[axis];
  const outer = shape.slice(0, axis + 1);
  const runs = elementsOf(outer);
  const index = new Array<number>(outer.length).fill(0);
  for (let copied = 0; copied < runs; copied++) {
    let from = offset;
    for (let a = 0; a < outer.length; a++) from += index[a] * strides[a];
    target.set(data.subarray(from * size, (from + run) * size), at + copied * run * size);
    for (let a = outer.length - 1; a >= 0 && ++index[a] === outer[a]; a--) index[a] = 0;
  }
}
