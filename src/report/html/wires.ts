/** The graph beside a table of its layers, a row a layer: which earlier results run past a row, enter it and leave it. */
import type { LayerLine } from "./model.ts";

export interface Wire {
  /** An SVG path within the row, 34 high. */
  readonly paths: string;
  /** Where the layer's dot is. */
  readonly x: number;
}

const [STEP, EDGE, HEIGHT] = [11, 8, 34];
/** Wires beside one another; more are drawn on the last. */
const MOST_LANES = 8;

/** Each result keeps a lane from its layer to the last that reads it. */
export function wiresOf(layers: readonly Pick<LayerLine, "reads">[]): {
  readonly rows: readonly Wire[];
  readonly width: number;
} {
  const last = new Int32Array(layers.length);
  for (const [place, { reads }] of layers.entries())
    for (const source of reads) if (source < layers.length) last[source] = Math.max(last[source], place);
  const lanes: (number | undefined)[] = [];
  const laneOf = new Int32Array(layers.length);
  const xOf = (lane: number) => EDGE + STEP * Math.min(lane, MOST_LANES - 1);
  let most = 0;
  const rows = layers.map(({ reads }, place): Wire => {
    const sources = reads.filter((source) => source < place);
    const before = lanes.map((source) => source);
    for (const source of sources) if (last[source] <= place) lanes[laneOf[source]] = undefined;
    const free = lanes.indexOf(undefined);
    const own = free < 0 ? lanes.length : free;
    laneOf[place] = own;
    const goesOn = last[place] > place;
    lanes[own] = goesOn ? place : undefined;
    most = Math.max(most, own);
    const x = xOf(own);
    const parts: string[] = [];
    for (const [lane, source] of before.entries()) {
      if (source === undefined) continue;
      const from = xOf(lane);
      const enters = sources.includes(source);
      if (enters) parts.push(from === x ? `M${x} 0V17` : `M${from} 0C${from} 10 ${x} 6 ${x} 17`);
      if (last[source] > place) parts.push(`M${from} 0V${HEIGHT}`);
    }
    if (goesOn) parts.push(`M${x} 17V${HEIGHT}`);
    return { paths: parts.join(""), x };
  });
  return { rows, width: xOf(most) + EDGE };
}
