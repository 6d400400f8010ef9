/** Work on the vector unit is cut as its producer was, so that it follows tile by tile. */
import type { Grid } from "./grid.ts";
import type { Job, TileJob } from "./job.ts";
import type { Root, View } from "./view.ts";

/** By root: its axes and the sizes of the pieces that it is made in. */
export type ProducerGrids = Map<Root, readonly { readonly axis: number; readonly size: number }[]>;

function rootAxis(view: View, axis: number): number {
  return view.aligned?.axes[axis] ?? -1;
}

export function recordGrid(job: TileJob, grid: Grid, producers: ProducerGrids): void {
  const cuts = grid.map(({ axis, size }) => ({ axis: rootAxis(job.output, axis), size }));
  if (cuts.every(({ axis }) => axis >= 0)) producers.set(job.output.root, cuts);
}

/** Roots that a depthwise layer reads: it follows channel by channel, where others need all channels of a row. */
export function readByChannel(jobs: readonly Job[]): Set<Root> {
  const roots = new Set<Root>();
  for (const job of jobs) {
    if (job.kind === "cpu" || !job.channelwise) continue;
    const [x] = job.inputs;
    if (x) roots.add(x.root);
  }
  return roots;
}

/** The grid of the producer of an input that has the output's shape, in the job's own axes. */
export function likeProducer(job: TileJob, producers: ProducerGrids): Grid | undefined {
  if (job.engine === "array") return undefined;
  for (const view of job.inputs) {
    if (!view || view.root.kind === "constant" || String(view.shape) !== String(job.output.shape)) continue;
    const made = producers.get(view.root);
    if (!made || made.length === 0) continue;
    const grid = made.map(({ axis, size }) => ({ axis: view.aligned?.axes.indexOf(axis) ?? -1, size }));
    const fits = grid.every(({ axis, size }) => {
      const cut = job.cuts.find((candidate) => candidate.axis === axis);
      return cut !== undefined && size % cut.quantum === 0 && size < job.output.shape[axis];
    });
    if (fits) return grid;
  }
  return undefined;
}
