/** Jobs by pieces of the batch, and the tensors of a piece. */
import { sameBox } from "../grid-facts.ts";
import type { Job, TileJob } from "../job.ts";
import { type Box, boxView, extentOf, type Root, type View, wholeBox } from "../view.ts";

/** The axis that a batch lies along: the outermost one that is long. */
function batchAxis({ shape }: Root): number {
  return Math.max(
    0,
    shape.findIndex((size) => size > 1),
  );
}

/** The part of a root that belongs to a piece of the batch. */
export function boxOfPiece(root: Root, piece: number, pieces: number): Box {
  const along = batchAxis(root);
  const size = root.shape[along] / pieces;
  const whole = wholeBox(root.shape);
  return {
    start: whole.start.map((at, axis) => (axis === along ? piece * size : at)),
    size: whole.size.map((length, axis) => (axis === along ? size : length)),
  };
}

function isOfPiece(view: View, piece: number, pieces: number): boolean {
  const { root } = view;
  if (root.shape.length === 0 || root.shape[batchAxis(root)] % pieces !== 0) return false;
  const elements = root.shape.reduce((product, size) => product * size, 1) / pieces;
  const { low, high } = extentOf(view);
  return low >= piece * elements && high <= (piece + 1) * elements;
}

/** By piece, what a job makes of its output, if it then touches nothing of another piece. */
export function windowsByPiece(job: Job, pieces: number): readonly Box[] | undefined {
  if (job.kind === "cpu") return undefined;
  const { shape } = job.output;
  for (const { axis, quantum } of job.cuts) {
    const size = shape[axis] / pieces;
    if (size % quantum !== 0) continue;
    const windows = Array.from({ length: pieces }, (_, piece): Box => {
      return {
        start: shape.map((_, at) => (at === axis ? piece * size : 0)),
        size: shape.map((length, at) => (at === axis ? size : length)),
      };
    });
    if (windows.every((window, piece) => isAlone(job, window, piece, pieces))) return windows;
  }
  return undefined;
}

function isAlone(job: TileJob, window: Box, piece: number, pieces: number): boolean {
  if (!isOfPiece(boxView(job.output, window), piece, pieces)) return false;
  const needs = job.needs(window);
  return job.inputs.every((view, input) => {
    const need = needs[input];
    if (!view || !need || view.root.kind === "constant") return true;
    return isOfPiece(boxView(view, need), piece, pieces);
  });
}

/** The box of a constant that all pieces need alike. */
export function sharedNeed(job: TileJob, input: number, windows: readonly Box[]): Box | undefined {
  const [first, ...others] = windows.map((window) => job.needs(window)[input]);
  return first && others.every((other) => other && sameBox(first, other)) ? first : undefined;
}

/** A piece of a root as a tensor of its own. */
export function rootOfPiece(root: Root, piece: number, pieces: number): Root {
  const { size } = boxOfPiece(root, piece, pieces);
  return { ...root, name: `${root.name}/${piece}`, shape: size, bytes: root.bytes / pieces };
}

/** A view that lies in one piece of its root, as a view of that piece. */
export function viewOfPiece(view: View, own: Root, piece: number): View {
  const { root, offset, shape, strides, aligned } = view;
  const elements = own.shape.reduce((product, size) => product * size, 1);
  const along = batchAxis(root);
  const starts = aligned?.starts.map((start, axis) => start - (axis === along ? piece * own.shape[axis] : 0));
  return {
    root: own,
    offset: offset - piece * elements,
    shape,
    strides,
    ...(aligned && starts ? { aligned: { axes: aligned.axes, starts } } : {}),
  };
}
