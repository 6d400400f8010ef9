/** A Reshape that merges or cuts axes: of a merged axis whole slices along one of its parts may go (heads of an attention). */
import type { Dim, Node } from "../ir/graph.ts";
import type { Coupling } from "./coupling.ts";

/** Axes of the input and of the output that hold the same numbers in the same order. */
export interface Chunk {
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** The shortest such stretches, from the left; undefined where sizes are not known. Equal names are equal sizes. */
export function chunksOf(from: readonly Dim[], to: readonly Dim[]): Chunk[] | undefined {
  const chunks: Chunk[] = [];
  let [left, right] = [0, 0];
  while (left < from.length || right < to.length) {
    const [a, b] = [from[left], to[right]];
    if (a !== undefined && a === b) {
      chunks.push({ from: [left++], to: [right++] });
      continue;
    }
    const chunk = { from: [] as number[], to: [] as number[] };
    let [before, after] = [1, 1];
    while (chunk.from.length + chunk.to.length === 0 || before !== after) {
      const [shape, axes, at] =
        before <= after && left < from.length ? [from, chunk.from, left++] : [to, chunk.to, right++];
      const size = shape[at];
      if (typeof size !== "number" || size === 0) return undefined;
      axes.push(at);
      if (axes === chunk.from) before *= size;
      else after *= size;
    }
    // A size of 1 that stands alone belongs to the stretch before it.
    chunks.push(chunk);
  }
  return chunks;
}

export function coupleReshape(node: Node, atoms: Coupling): void {
  const [input] = node.inputs;
  const [output] = node.outputs;
  const [from, to] = [atoms.shapeOf(input), atoms.shapeOf(output)];
  const constant = node.op === "Flatten" || atoms.constant(node.inputs[1]) !== undefined;
  const chunks = from && to && constant ? chunksOf(from, to) : undefined;
  if (chunks === undefined) {
    for (const name of [input, output]) atoms.pin(name);
    return;
  }
  for (const chunk of chunks) coupleChunk(input, output, chunk, atoms);
}

function coupleChunk(input: string, output: string, { from, to }: Chunk, atoms: Coupling): void {
  const long = (value: string, axes: readonly number[]): number[] =>
    axes.filter((axis) => atoms.size(value, axis) !== 1);
  const [a, b] = [long(input, from), long(output, to)];
  for (const [value, axes] of [
    [input, from],
    [output, to],
  ] as const) {
    for (const axis of axes) if (atoms.size(value, axis) === 1) atoms.pin(value, axis);
  }
  if (a.length === 1 && b.length === 1) {
    atoms.join(input, a[0], output, b[0]);
    return;
  }
  if (a.length === 1) {
    coupleParts(input, a[0], output, b, atoms);
    return;
  }
  if (b.length === 1) {
    coupleParts(output, b[0], input, a, atoms);
    return;
  }
  for (const axis of a) atoms.pin(input, axis);
  for (const axis of b) atoms.pin(output, axis);
}

/** `whole` is `parts` in row-major order. The first part that may be cut decides; the others stay. */
function coupleParts(whole: string, axis: number, parted: string, parts: readonly number[], atoms: Coupling): void {
  const free = parts.find((part) =>
    Array.from({ length: atoms.size(parted, part) }, (_, index) => atoms.at(parted, part, index)).some(
      (atom) => !atoms.isPinned(atom),
    ),
  );
  for (const part of parts) if (part !== free) atoms.pin(parted, part);
  if (free === undefined) {
    atoms.pin(whole, axis);
    return;
  }
  const inner = parts.slice(parts.indexOf(free) + 1).reduce((product, part) => product * atoms.size(parted, part), 1);
  const count = atoms.size(parted, free);
  for (let index = 0; index < atoms.size(whole, axis); index++) {
    atoms.unite(atoms.at(whole, axis, index), atoms.at(parted, free, Math.floor(index / inner) % count));
  }
}
