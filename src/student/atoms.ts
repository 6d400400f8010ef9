/** Which indices of which axes stand or fall together: one union-find over all of them. */
import { type Dim, type Graph, typeOf } from "../ir/graph.ts";

/** An index of an axis of a value. Axes of unknown or unreasonable size have no atoms. */
export interface Atoms {
  shapeOf(value: string): readonly Dim[] | undefined;
  /** The atom of an index; -1 where the axis has none. */
  at(value: string, axis: number, index: number): number;
  size(value: string, axis: number): number;
  /** What the atom belongs to: equal numbers are kept or dropped together. */
  find(atom: number): number;
  isPinned(atom: number): boolean;
  /** Index `i` of one axis goes with index `other(i)` of another (the same index unless said). */
  join(a: string, axisA: number, b: string, axisB: number, other?: (index: number) => number): void;
  unite(a: number, b: number): void;
  /** Keeps an axis as it is; without one all axes of the value. */
  pin(value: string, axis?: number): void;
  pinAtom(atom: number): void;
}

/** An axis with more indices than this has other reasons than channels. */
const LARGEST_AXIS = 65_536;

export function atomsOf(graph: Graph): Atoms {
  const parent: number[] = [];
  const pinned: boolean[] = [];
  const bases = new Map<string, readonly number[]>();

  const shapeOf = (value: string): readonly Dim[] | undefined => typeOf(graph, value)?.shape;
  const size = (value: string, axis: number): number => {
    const dim = shapeOf(value)?.[axis];
    return typeof dim === "number" && dim <= LARGEST_AXIS ? dim : -1;
  };
  function basesOf(value: string): readonly number[] {
    const known = bases.get(value);
    if (known !== undefined) return known;
    const made = (shapeOf(value) ?? []).map((_, axis) => {
      const count = size(value, axis);
      if (count < 0) return -1;
      const base = parent.length;
      for (let index = 0; index < count; index++) {
        parent.push(base + index);
        pinned.push(false);
      }
      return base;
    });
    bases.set(value, made);
    return made;
  }
  function at(value: string, axis: number, index: number): number {
    const base = basesOf(value)[axis] ?? -1;
    return base < 0 || index < 0 || index >= size(value, axis) ? -1 : base + index;
  }
  function find(atom: number): number {
    let top = atom;
    while (parent[top] !== top) {
      parent[top] = parent[parent[top]];
      top = parent[top];
    }
    return top;
  }
  const pinAtom = (atom: number): void => {
    if (atom >= 0) pinned[find(atom)] = true;
  };
  function unite(a: number, b: number): void {
    // What goes with something that nobody can drop stays.
    if (a < 0) {
      pinAtom(b);
      return;
    }
    if (b < 0) {
      pinAtom(a);
      return;
    }
    const [first, second] = [find(a), find(b)];
    if (first === second) return;
    const [low, high] = first < second ? [first, second] : [second, first];
    parent[high] = low;
    pinned[low] ||= pinned[high];
  }
  function pin(value: string, axis?: number): void {
    for (const each of axis === undefined ? basesOf(value).keys() : [axis]) {
      for (let index = 0; index < size(value, each); index++) pinAtom(at(value, each, index));
    }
  }
  return {
    ...{ shapeOf, at, size, find, unite, pin, pinAtom },
    isPinned: (atom) => atom < 0 || pinned[find(atom)],
    join(a, axisA, b, axisB, other = (index) => index) {
      if (size(b, axisB) < 0) {
        pin(a, axisA);
        return;
      }
      if (size(a, axisA) < 0) {
        pin(b, axisB);
        return;
      }
      for (let index = 0; index < size(a, axisA); index++) unite(at(a, axisA, index), at(b, axisB, other(index)));
    },
  };
}
