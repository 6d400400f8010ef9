/** Work on the vector unit is cut as its producer was, so that it follows tile by tile. */
import { stridesOf } from "../ir/tensor.ts";
import type { Grid } from "./grid.ts";
import type { Cut, TileJob } from "./job.ts";
import type { Root, View } from "./view.ts";

/** By root: its axes and the sizes of the pieces that it is made in, and by which of all recorded. */
export type ProducerGrids = Map<
  Root,
  { readonly age: number; readonly cuts: readonly { readonly axis: number; readonly size: number }[] }
>;

/** The root's axis along which a view's axis walks, and how far a step goes there. */
function rootAxis(view: View, axis: number): { axis: number; step: number } | undefined {
  const stride = Math.abs(view.strides[axis]);
  if (stride === 0 || view.shape[axis] === 1) return undefined;
  const { shape } = view.root;
  const steps = stridesOf(shape);
  const found = steps.findIndex((step, at) => shape[at] > 1 && step <= stride);
  return found < 0 ? undefined : { axis: found, step: Math.floor(stride / steps[found]) };
}

export function recordGrid({ output }: TileJob, grid: Grid, producers: ProducerGrids): void {
  const cuts = grid.flatMap(({ axis, size }) => {
    const found = rootAxis(output, axis);
    return found ? [{ axis: found.axis, size: size * found.step }] : [];
  });
  producers.set(output.root, { age: producers.size, cuts });
}

/** The grid of the youngest producer of an input that has the output's shape, in the job's own axes. */
export function likeProducer(job: TileJob, producers: ProducerGrids): Grid | undefined {
  if (job.engine === "array") return undefined;
  let youngest: { view: View; age: number; cuts: readonly { axis: number; size: number }[] } | undefined;
  for (const view of job.inputs) {
    if (!view || view.root.kind === "constant" || String(view.shape) !== String(job.output.shape)) continue;
    const made = producers.get(view.root);
    if (made && made.cuts.length > 0 && !(youngest && youngest.age > made.age)) youngest = { view, ...made };
  }
  if (!youngest) return undefined;
  const { view, cuts } = youngest;
  const grid = cuts.flatMap(({ axis, size }) => pieceOf(job, view, axis, size));
  return grid.length > 0 ? grid : undefined;
}

/** The job's axis that walks along a root's axis (the outermost of several), cut into the pieces of its producer. */
function pieceOf(job: TileJob, view: View, axis: number, size: number): Grid {
  let best: { cut: Cut; step: number } | undefined;
  for (const cut of job.cuts) {
    const found = rootAxis(view, cut.axis);
    if (found?.axis === axis && found.step > (best?.step ?? 0)) best = { cut, step: found.step };
  }
  if (!best) return [];
  const { cut, step } = best;
  const own = Math.max(1, Math.floor(size / step / cut.quantum)) * cut.quantum;
  return own < job.output.shape[cut.axis] ? [{ axis: cut.axis, size: own }] : [];
}
