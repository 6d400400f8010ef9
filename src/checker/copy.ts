/** Copies keep what they copy: constants stay constants, codes keep their range. */
import type { Command, Operand } from "../schedule/program.ts";
import { countOf, sizeOf } from "./operand.ts";
import type { Content } from "./shadow.ts";

/** What one operand turned out to hold. */
export interface Seen {
  readonly contents: ReadonlySet<Content>;
  /** Where its bytes that are weights came from; several pieces where they were loaded one by one. */
  readonly pieces: { readonly low: number; high: number; readonly delta: number }[];
}

/** A part of a result and what it holds from now on. */
export interface Written {
  readonly part: Operand;
  readonly content: Content;
}

/** A copy in more pieces than this is followed as codes. */
const MOST_PARTS = 1 << 16;

function copyOf(command: Command): { role: string; from: Operand; to: Operand } | undefined {
  if (command.kind === "dma-read" || command.kind === "dma-write")
    return { role: "from", from: command.from, to: command.to };
  if (command.kind === "move" && command.x.dtype === command.y.dtype)
    return { role: "x", from: command.x, to: command.y };
  return undefined;
}

/** What a copy leaves; undefined for other commands, and where what it copies is of several kinds. */
export function copiedContent(command: Command, seen: ReadonlyMap<string, Seen>): readonly Written[] | undefined {
  const copy = copyOf(command);
  const source = copy && seen.get(copy.role);
  if (!copy || !source) return undefined;
  const { from, to } = copy;
  const contents = [...source.contents];
  const delta = source.pieces[0]?.delta;
  if (delta !== undefined && contents.every((one) => one.kind === "weights" && one.delta === delta))
    return weightParts(from, to, delta);
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const content of contents) {
    if (content.kind !== "codes" || content.dtype !== contentType(contents[0])) return undefined;
    low = Math.min(low, content.low);
    high = Math.max(high, content.high);
  }
  const dtype = contentType(contents[0]);
  return dtype === undefined ? undefined : [{ part: to, content: { kind: "codes", dtype, low, high } }];
}

function contentType(content: Content | undefined): string | undefined {
  return content?.kind === "codes" ? content.dtype : undefined;
}

/** The axes that both views step through alike are one part; the others are written out. */
function weightParts(from: Operand, to: Operand, delta: number): Written[] | undefined {
  const { shape } = to;
  const outer = [...shape.keys()].filter((axis) => shape[axis] > 1 && from.strides[axis] !== to.strides[axis]);
  const parts = countOf(outer.map((axis) => shape[axis]));
  if (parts > MOST_PARTS) return undefined;
  const inner = shape.map((length, axis) => (outer.includes(axis) ? 1 : length));
  const size = sizeOf(to.dtype);
  const written: Written[] = [];
  const byDelta = new Map<number, Content>();
  const index = outer.map(() => 0);
  let [source, sink] = [from.address, to.address];
  for (let part = 0; part < parts; part++) {
    const own = source + delta - sink;
    const content: Content = byDelta.get(own) ?? { kind: "weights", delta: own };
    byDelta.set(own, content);
    written.push({ part: { ...to, address: sink, shape: inner }, content });
    for (let at = outer.length - 1; at >= 0; at--) {
      const axis = outer[at];
      source += from.strides[axis] * size;
      sink += to.strides[axis] * size;
      if (++index[at] < shape[axis]) break;
      source -= from.strides[axis] * size * shape[axis];
      sink -= to.strides[axis] * size * shape[axis];
      index[at] = 0;
    }
  }
  return written;
}
