/** Codes that only change their place: copies between views, paddings in pieces, gathers, loads and stores. */
import { intAttr, intsAttr, type Node, stringAttr } from "../../ir/graph.ts";
import { nameOf, required, type TileJob } from "../job.ts";
import { type Box, isWhole, sliceView, type View, wholeBox } from "../view.ts";
import { anyCuts } from "./elementwise.ts";

interface Named {
  readonly name: string;
  readonly origin: readonly string[];
}

export function moveJob({ name, origin }: Named, x: View, output: View): TileJob {
  return {
    kind: "tile",
    engine: "vector",
    name,
    origin,
    inputs: [x],
    output,
    cuts: anyCuts(output.shape),
    needs: (box) => [box],
    command: (_, operands, y) => ({ kind: "move", engine: "vector", x: required(operands[0], "x"), y }),
  };
}

export function fillJob({ name, origin }: Named, output: View, value: number): TileJob {
  return {
    kind: "tile",
    engine: "vector",
    name,
    origin,
    inputs: [],
    output,
    cuts: anyCuts(output.shape),
    needs: () => [],
    command: (_, _operands, y) => ({ kind: "fill", engine: "vector", y, value }),
  };
}

/** DRAM → a tensor that stays in SRAM. */
export function loadJob(named: Named, from: View, to: View): TileJob {
  return {
    ...moveJob(named, from, to),
    engine: "dma-in",
    direct: { input: 0 },
    command: (_, operands, output) => ({
      kind: "dma-read",
      engine: "dma-in",
      from: required(operands[0], "from"),
      to: output,
    }),
  };
}

/** SRAM → DRAM: an output or a state. */
export function storeJob(named: Named, from: View, to: View): TileJob {
  return {
    ...moveJob(named, from, to),
    engine: "dma-out",
    direct: { output: true },
    command: (_, operands, output) => ({
      kind: "dma-write",
      engine: "dma-out",
      from: required(operands[0], "from"),
      to: output,
    }),
  };
}

/** A run of cells of one axis: result [at, at + count) comes from `first`, `first + step`, …; no `first`: the constant. */
interface Segment {
  readonly at: number;
  readonly count: number;
  readonly first?: number;
  readonly step: number;
}

function segmentsOf(size: number, before: number, after: number, mode: string): Segment[] {
  const length = size + before + after;
  const segments: Segment[] = [];
  const source = (at: number): number | undefined => {
    if (at >= 0 && at < size) return at;
    if (mode === "constant") return undefined;
    if (mode === "edge") return at < 0 ? 0 : size - 1;
    const period = Math.max(1, 2 * (size - 1));
    const turn = ((at % period) + period) % period;
    return turn < size ? turn : period - turn;
  };
  for (let at = 0; at < length; ) {
    const first = source(at - before);
    let count = 1;
    let step = 0;
    if (at + 1 < length) {
      const second = source(at + 1 - before);
      if (first === undefined || second === undefined) {
        while (first === undefined && at + count < length && source(at + count - before) === undefined) count++;
      } else {
        step = second - first;
        while (at + count < length && source(at + count - before) === first + count * step) count++;
      }
    }
    segments.push(first === undefined ? { at, count, step: 0 } : { at, count, first, step: count === 1 ? 1 : step });
    at += count;
  }
  return segments;
}

/** One fill (constant mode) and one move for every combination of the axes' segments. */
export function padJobs(node: Node, x: View, output: View): TileJob[] {
  const named = { name: nameOf(node), origin: node.origin };
  const pads = required(intsAttr(node, "pads"), "pads");
  const mode = stringAttr(node, "mode", "constant");
  const rank = x.shape.length;
  let pieces: { from: View; to: View }[] = [{ from: x, to: output }];
  for (let axis = 0; axis < rank; axis++) {
    const segments = segmentsOf(x.shape[axis], pads[axis], pads[rank + axis], mode);
    pieces = pieces.flatMap(({ from, to }) =>
      segments.flatMap(({ at, count, first, step }) =>
        first === undefined
          ? []
          : [{ from: sliceView(from, axis, first, count, step), to: sliceView(to, axis, at, count, 1) }],
      ),
    );
  }
  const moves = pieces.map(({ from, to }) => moveJob(named, from, to));
  const covers = pieces.length === 1 && isWhole(wholeBox(pieces[0].to.shape), output.shape);
  return covers || mode !== "constant" ? moves : [fillJob(named, output, intAttr(node, "value", 0)), ...moves];
}

/** x [A,D,B], indices [I], output [A,I,B]; `fromDram`: the table is too large to be staged, the DMA engine fetches rows. */
export function gatherJob(node: Node, x: View, indices: View, output: View, fromDram: boolean): TileJob {
  const depth = x.shape[1];
  return {
    kind: "tile",
    engine: "vector",
    name: nameOf(node),
    origin: node.origin,
    inputs: [x, indices],
    output,
    cuts: [
      { axis: 1, quantum: 1 },
      { axis: 0, quantum: 1 },
      { axis: 2, quantum: 1 },
    ],
    ...(fromDram ? ({ engine: "dma-in", direct: { input: 0 } } as const) : {}),
    needs: (box): Box[] => [
      { start: [box.start[0], 0, box.start[2]], size: [box.size[0], depth, box.size[2]] },
      { start: [box.start[1]], size: [box.size[1]] },
    ],
    command: (_, operands, y) => ({
      kind: "gather",
      engine: fromDram ? "dma-in" : "vector",
      x: required(operands[0], "x"),
      indices: required(operands[1], "indices"),
      y,
    }),
  };
}

/** update [N,A,I,B], indices [N], cache [N,A,D,B] in DRAM: the DMA engine writes the rows. */
export function scatterJob(node: Node, update: View, indices: View, cache: View): TileJob {
  return {
    kind: "tile",
    engine: "dma-out",
    name: nameOf(node),
    origin: node.origin,
    inputs: [update, indices],
    output: cache,
    cuts: [
      { axis: 1, quantum: 1 },
      { axis: 0, quantum: 1 },
      { axis: 3, quantum: 1 },
    ],
    direct: { output: true },
    needs: ({ start, size }): Box[] => [
      { start: [start[0], start[1], 0, start[3]], size: [size[0], size[1], update.shape[2], size[3]] },
      { start: [start[0]], size: [size[0]] },
    ],
    command: (_, operands, y) => ({
      kind: "scatter",
      engine: "dma-out",
      x: required(operands[0], "update"),
      indices: required(operands[1], "indices"),
      y,
      circular: stringAttr(node, "mode", "linear") === "circular",
    }),
  };
}
