/** The layers in the order in which they run: what each costs, what it reads, how far its results are from the teacher's. */
import type { Timeline } from "../emulate/timing.ts";
import type { Graph } from "../ir/graph.ts";
import { readsOf } from "../ir/uses.ts";
import type { ProfiledLayer } from "../profile.ts";
import type { LayerLine } from "../report/html/model.ts";

/** How `src/emulate/profile.ts` names a layer. */
const layerName = (origin: readonly string[], kind: string): string =>
  origin.length === 0 ? `(${kind})` : origin.join(" + ");

export interface Placed {
  readonly lines: readonly LayerLine[];
  /** Place of the layer of a command. */
  readonly layerOf: (command: number) => number;
  readonly names: readonly string[];
}

/** `errors`: value of the record → decibels. */
export function layersOf(
  timeline: Timeline,
  profiled: readonly ProfiledLayer[],
  record: Graph,
  errors: ReadonlyMap<string, number>,
): Placed {
  const { commands } = timeline;
  const places = new Map<string, number>();
  const origins: (readonly string[])[] = [];
  const ofCommand = commands.map(({ origin, kind }) => {
    const name = layerName(origin, kind);
    const known = places.get(name);
    if (known !== undefined) return known;
    places.set(name, places.size);
    origins.push(origin);
    return places.size - 1;
  });
  const costs = new Map(profiled.map((layer) => [layer.name, layer]));
  const graph = placeNodes(record, places, origins, errors);
  const known = [...places.keys()];
  // As the graph has them; what belongs to none of its nodes stays at its end of the program.
  const rank = graph.map(
    ({ first }, place) => first ?? (commands[0]?.origin.length === 0 && place === 0 ? -1 : Infinity),
  );
  const order = known.map((_, place) => place).sort((a, b) => (rank[a] === rank[b] ? a - b : rank[a] - rank[b]));
  const rows = new Int32Array(order.length);
  for (const [row, place] of order.entries()) rows[place] = row;
  const lines = order.map((place): LayerLine => {
    const name = known[place];
    const cost = costs.get(name);
    const { op, reads, sqnr } = graph[place];
    return {
      nodes: origins[place].length === 0 ? [name] : origins[place],
      op,
      cycles: cost?.cycles ?? 0,
      share: cost?.share ?? 0,
      boundBy: cost?.boundBy ?? "",
      macs: cost?.macs ?? 0,
      utilization: cost?.utilization ?? 0,
      dramBytes: cost?.dramBytes ?? 0,
      ...(sqnr !== undefined && { sqnr }),
      reads: reads.map((source) => rows[source]).sort((a, b) => a - b),
      ...(cost?.help && { help: { what: cost.help.what, gain: cost.help.gain } }),
    };
  });
  return { lines, layerOf: (command) => rows[ofCommand[command]] ?? 0, names: order.map((place) => known[place]) };
}

interface InGraph {
  op: string;
  readonly reads: number[];
  sqnr?: number;
  /** Place of its first node in the record. */
  first?: number;
}

/** Each node of the record belongs to the layer of its very origin, or else to the first layer that shares a name with it. */
function placeNodes(
  record: Graph,
  places: ReadonlyMap<string, number>,
  origins: readonly (readonly string[])[],
  errors: ReadonlyMap<string, number>,
): InGraph[] {
  const byName = new Map<string, number>();
  for (const [place, origin] of origins.entries())
    for (const name of origin) if (!byName.has(name)) byName.set(name, place);
  const found = origins.map((): InGraph => ({ op: "", reads: [] }));
  const maker = new Map<string, number>();
  for (const [index, node] of record.nodes.entries()) {
    const place =
      places.get(layerName(node.origin, "")) ??
      node.origin.map((name) => byName.get(name)).find((at) => at !== undefined);
    const sources = readsOf(node).flatMap((name) => maker.get(name) ?? []);
    // A node that costs nothing has no layer: what it makes, its sources made.
    const made = place ?? sources.at(-1);
    if (made !== undefined) for (const output of node.outputs) maker.set(output, made);
    if (place === undefined) continue;
    const layer = found[place];
    layer.first ??= index;
    if (layer.op === "" || HEAVY.has(node.op)) layer.op = node.op;
    for (const source of sources) if (source !== place && !layer.reads.includes(source)) layer.reads.push(source);
    for (const output of node.outputs) {
      const sqnr = errors.get(output);
      if (sqnr !== undefined) layer.sqnr = sqnr;
    }
  }
  return found;
}

const HEAVY = new Set(["Conv", "ConvTranspose", "MatMul"]);
