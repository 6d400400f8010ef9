import { createHash } from "node:crypto";
import { alignUp } from "./allocate.ts";
import { STORAGE_BYTES } from "./program.ts";
import { type Box, boxView, elementsOf, type View } from "./view.ts";

/** Every piece of the weights section begins on a whole DRAM burst. */
const ALIGNMENT = 64;

/** The weights section while it grows. Equal pieces are stored once. */
export class Weights {
  private readonly pieces: { offset: number; bytes: Uint8Array }[] = [];
  private readonly known = new Map<string, number>();
  private length = 0;

  /** The offset of the piece, which is its DRAM address too. */
  add(bytes: Uint8Array): number {
    const key = createHash("sha256").update(bytes).digest("base64");
    const found = this.known.get(key);
    if (found !== undefined) return found;
    const offset = this.length;
    this.known.set(key, offset);
    this.pieces.push({ offset, bytes });
    this.length = alignUp(offset + bytes.byteLength, ALIGNMENT);
    return offset;
  }

  get byteLength(): number {
    return this.length;
  }

  bytes(): Uint8Array {
    const section = new Uint8Array(this.length);
    for (const { offset, bytes } of this.pieces) section.set(bytes, offset);
    return section;
  }
}

/** The codes of a constant view's box, compact, into `target` at `at`. */
export function copyBox(view: View, box: Box, target: Uint8Array, at: number): void {
  const data = view.root.data;
  if (data === undefined) throw new Error(`bug: ${view.root.name} is no constant`);
  const size = STORAGE_BYTES[view.root.dtype];
  const { offset, shape, strides } = boxView(view, box);
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
