/** Channels of a graph as units that are dropped whole, in groups within which any of them may go. */
import type { Graph } from "../ir/graph.ts";
import { inferTypes, knownValues } from "../ops/infer.ts";
import { atomsOf } from "./atoms.ts";
import { type Coupling, coupleAll } from "./coupling.ts";

/** Units with the same axes: of one group it matters for the shapes only how many stay. */
export interface UnitGroup {
  /** What names the group in a graph with the same values: its first value and axis. */
  readonly name: string;
  /** In the order in which their first indices stand. */
  readonly units: readonly number[];
  /** Indices that a unit has along the group's first axis. */
  readonly width: number;
}

export interface Units {
  /** With the type of every value. */
  readonly graph: Graph;
  readonly groups: readonly UnitGroup[];
  /** The unit of an index of an axis; -1 where it stays in any case. */
  unitAt(value: string, axis: number, index: number): number;
  /** Which indices of an axis stay, in order; undefined where all do. */
  keptAlong(value: string, axis: number, dropped: ReadonlySet<number>): number[] | undefined;
}

/** All that may be dropped from a graph, found by following every operator. Constants are taken for weights of the readers. */
export function unitsOf(given: Graph): Units {
  const graph = inferTypes(given);
  const known = knownValues(graph);
  const atoms = atomsOf(graph);
  const coupling: Coupling = { ...atoms, constant: (name) => graph.constants.get(name) ?? known.get(name) };
  coupleAll(graph, coupling);
  const unitAt = (value: string, axis: number, index: number): number => {
    const atom = atoms.at(value, axis, index);
    return atoms.isPinned(atom) ? -1 : atoms.find(atom);
  };
  return {
    graph,
    groups: groupsOf(graph, atoms.size, unitAt),
    unitAt,
    keptAlong(value, axis, dropped) {
      const count = atoms.size(value, axis);
      if (count < 0 || dropped.size === 0) return undefined;
      const kept: number[] = [];
      for (let index = 0; index < count; index++) if (!dropped.has(unitAt(value, axis, index))) kept.push(index);
      return kept.length === count ? undefined : kept;
    },
  };
}

function groupsOf(graph: Graph, size: (value: string, axis: number) => number, unitAt: Units["unitAt"]): UnitGroup[] {
  const axes: { readonly name: string; readonly units: number[] }[] = [];
  const places = new Map<number, number[]>();
  const values = [...graph.inputs, ...graph.nodes.flatMap(({ outputs }) => outputs), ...graph.constants.keys()];
  for (const value of new Set(values)) {
    const rank = (graph.constants.get(value)?.shape ?? graph.types.get(value)?.shape ?? []).length;
    for (let axis = 0; axis < rank; axis++) {
      const units: number[] = [];
      for (let index = 0; index < size(value, axis); index++) {
        const unit = unitAt(value, axis, index);
        if (unit < 0) continue;
        units.push(unit);
        const found = places.get(unit);
        if (found === undefined) places.set(unit, [axes.length]);
        else if (found.at(-1) !== axes.length) found.push(axes.length);
      }
      axes.push({ name: `${value}#${axis}`, units });
    }
  }
  const groups = new Map<string, number[]>();
  for (const [unit, where] of places) {
    const key = where.join();
    const group = groups.get(key);
    if (group) group.push(unit);
    else groups.set(key, [unit]);
  }
  return [...groups.values()].map((units) => {
    const [first] = places.get(units[0]) ?? [0];
    return { name: axes[first].name, units, width: axes[first].units.filter((unit) => unit === units[0]).length };
  });
}
