/** Which rows of its inputs a job reads for some rows of its output: all that cutting a chain of jobs into strips needs. */
import type { Job, TileJob } from "../job.ts";
import { bytesOfBox, type Root, type View } from "../view.ts";
import { besides, type Layout, layoutOf, rowsOfBox } from "./layout.ts";

/** A tensor and the axis along which it is cut into strips. */
export interface Rows {
  readonly root: Root;
  /** The root seen as a contiguous tensor of this shape, in which every view of it has a layout. */
  readonly shape: readonly number[];
  readonly axis: number;
  readonly count: number;
  /** Bytes of one row. */
  readonly bytes: number;
  /** Jobs (by index), ascending. */
  readonly writers: readonly number[];
  readonly readers: readonly number[];
  /** Whether strips of it can be tensors of their own. */
  readonly cuttable: boolean;
}

export interface Read {
  /** Index among the job's inputs. */
  readonly input: number;
  readonly view: View;
  readonly rows: Rows;
  readonly layout?: Layout;
  /** Jobs that write what is read. */
  readonly writers: readonly number[];
  /** Rows of the root for the output's strip [from, to): [slope · from + low, slope · to + high), before clipping. */
  readonly slope: number;
  readonly low: number;
  readonly high: number;
}

export interface Write {
  readonly rows: Rows;
  readonly layout?: Layout;
  /** Row of the root that output row 0 begins at, rows of the root a row of the output. */
  readonly first: number;
  readonly step: number;
}

/** A job seen row by row. */
export interface Work {
  readonly index: number;
  readonly job: TileJob;
  /** The axis of the output that is cut, and its length. */
  readonly axis: number;
  readonly count: number;
  readonly reads: readonly Read[];
  readonly write: Write;
  /** Bytes of the constants that it reads. */
  readonly constantBytes: number;
  /** False for work that is never part of a cascade: the run's transfers, states, gathers from DRAM. */
  readonly movable: boolean;
}

export interface Analysis {
  /** By job; undefined for nodes on the host. */
  readonly work: readonly (Work | undefined)[];
  readonly rows: ReadonlyMap<Root, Rows>;
}

interface Uses {
  readonly root: Root;
  readonly views: View[];
  readonly writers: number[];
  readonly readers: number[];
}

function usesOf(jobs: readonly Job[]): Map<Root, Uses> {
  const uses = new Map<Root, Uses>();
  const touch = (view: View, index: number, write: boolean) => {
    const { root } = view;
    if (root.kind === "constant") return;
    const own = uses.get(root) ?? { root, views: [], writers: [], readers: [] };
    uses.set(root, own);
    own.views.push(view);
    const list = write ? own.writers : own.readers;
    if (list[list.length - 1] !== index) list.push(index);
  };
  jobs.forEach((job, index) => {
    if (isLoad(job)) return;
    for (const view of job.inputs) if (view) touch(view, index, false);
    for (const view of job.kind === "cpu" ? job.outputs : [job.output]) touch(view, index, true);
  });
  return uses;
}

/** What brings an input or a state into SRAM. */
export function isLoad(job: Job): boolean {
  return job.kind === "tile" && job.direct?.input === 0 && job.inputs[0]?.root === job.output.root;
}

/** A shape in which every view of the root has a layout; the root's own where none is found. */
function shapeOf({ root, views }: Uses): { shape: readonly number[]; cuttable: boolean } {
  const full = views.filter(({ offset, shape }) => offset === 0 && sameCount(shape, root.shape));
  for (const shape of [root.shape, ...full.map((view) => view.shape)]) {
    if (views.every((view) => layoutOf(view, shape) !== undefined)) return { shape, cuttable: true };
  }
  return { shape: root.shape, cuttable: false };
}

function sameCount(a: readonly number[], b: readonly number[]): boolean {
  return a.reduce((product, size) => product * size, 1) === b.reduce((product, size) => product * size, 1);
}

/** Needs of an output's rows [from, to). */
export function needsOf(job: TileJob, axis: number, from: number, to: number) {
  const { shape } = job.output;
  return job.needs({
    start: shape.map((_, at) => (at === axis ? from : 0)),
    size: shape.map((size, at) => (at === axis ? to - from : size)),
  });
}

function isCut({ cuts, output }: TileJob, axis: number): boolean {
  return cuts.some((cut) => cut.axis === axis && cut.quantum === 1) && output.shape[axis] > 1;
}

/** The axis of the output that moves along an axis of its root; of several, the one that moves farthest. */
function axisAlong(job: TileJob, shape: readonly number[], rootAxis: number): number | undefined {
  const layout = layoutOf(job.output, shape);
  let best: number | undefined;
  layout?.axes.forEach((at, axis) => {
    if (at !== rootAxis || !isCut(job, axis)) return;
    if (best === undefined || layout.steps[axis] > layout.steps[best]) best = axis;
  });
  return best;
}

/** The axis of an input's root that moves with the output's axis; undefined where none or several do. */
function movedAxis(job: TileJob, axis: number, input: number, shape: readonly number[]): number | undefined {
  const view = job.inputs[input];
  const layout = view && layoutOf(view, shape);
  const count = job.output.shape[axis];
  const [first, last] = [needsOf(job, axis, 0, 1)[input], needsOf(job, axis, count - 1, count)[input]];
  if (!layout || !first || !last) return undefined;
  const moved = new Set(layout.axes.filter((at, index) => at >= 0 && first.start[index] !== last.start[index]));
  return moved.size === 1 ? [...moved][0] : undefined;
}

/** Where nothing else says how to cut: images by rows, matrices by rows, else the first long axis. */
function ownAxis(job: TileJob): number | undefined {
  const rank = job.output.shape.length;
  const order = rank === 4 ? [2, 3, 1, 0] : [rank - 2, ...Array.from({ length: rank }, (_, axis) => axis)];
  return order.find((axis) => axis >= 0 && isCut(job, axis));
}

/** Axes for all jobs and roots: from the readers to what they read, then from what is read to its readers. */
function chooseAxes(jobs: readonly Job[], uses: ReadonlyMap<Root, Uses>, shapes: ReadonlyMap<Root, readonly number[]>) {
  const ofJob = new Map<number, number>();
  const ofRoot = new Map<Root, number>();
  const settle = (index: number, job: TileJob, axis: number) => {
    ofJob.set(index, axis);
    const { root } = job.output;
    const layout = layoutOf(job.output, shapes.get(root) ?? root.shape);
    if (layout && layout.axes[axis] >= 0 && !ofRoot.has(root)) ofRoot.set(root, layout.axes[axis]);
    job.inputs.forEach((view, input) => {
      if (!view || !uses.has(view.root) || ofRoot.has(view.root)) return;
      const moved = movedAxis(job, axis, input, shapes.get(view.root) ?? view.root.shape);
      if (moved !== undefined) ofRoot.set(view.root, moved);
    });
  };
  const wanted = (job: TileJob) => {
    const { root } = job.output;
    const known = ofRoot.get(root);
    return known === undefined ? undefined : axisAlong(job, shapes.get(root) ?? root.shape, known);
  };
  for (let index = jobs.length - 1; index >= 0; index--) {
    const job = jobs[index];
    if (job.kind === "cpu" || isLoad(job)) continue;
    const axis = wanted(job) ?? (job.engine === "array" || isWindow(job) ? ownAxis(job) : undefined);
    if (axis !== undefined) settle(index, job, axis);
  }
  jobs.forEach((job, index) => {
    if (job.kind === "cpu" || isLoad(job) || ofJob.has(index)) return;
    const followed = job.cuts.find(({ axis }) => {
      return (
        isCut(job, axis) && job.inputs.some((view, input) => view && follows(job, axis, view, input, ofRoot, shapes))
      );
    });
    const axis = wanted(job) ?? followed?.axis ?? ownAxis(job);
    if (axis !== undefined) settle(index, job, axis);
  });
  return { ofJob, ofRoot };
}

function follows(
  job: TileJob,
  axis: number,
  view: View,
  input: number,
  ofRoot: ReadonlyMap<Root, number>,
  shapes: ReadonlyMap<Root, readonly number[]>,
): boolean {
  const known = ofRoot.get(view.root);
  return known !== undefined && movedAxis(job, axis, input, shapes.get(view.root) ?? view.root.shape) === known;
}

/** Pooling and the like: its first cut is the image's rows. */
function isWindow({ cuts, output }: TileJob): boolean {
  return output.shape.length === 4 && cuts.length === 4 && cuts[0].axis === 2;
}

/** The jobs row by row. */
export function analyse(jobs: readonly Job[]): Analysis {
  const uses = usesOf(jobs);
  const found = new Map([...uses].map(([root, own]) => [root, shapeOf(own)]));
  const shapes = new Map([...found].map(([root, { shape }]) => [root, shape]));
  const { ofJob, ofRoot } = chooseAxes(jobs, uses, shapes);
  const rows = new Map<Root, Rows>();
  for (const [root, { writers, readers }] of uses) {
    const { shape, cuttable } = found.get(root) ?? { shape: root.shape, cuttable: false };
    const axis = ofRoot.get(root) ?? 0;
    const count = shape[axis] ?? 1;
    const known = ofRoot.has(root) && count > 1;
    rows.set(root, {
      root,
      shape,
      axis,
      count,
      bytes: root.bytes / count,
      writers,
      readers,
      cuttable: cuttable && known,
    });
  }
  const work = jobs.map((job, index) => {
    if (job.kind === "cpu" || isLoad(job)) return undefined;
    return workOf(job, index, ofJob.get(index), rows, jobs);
  });
  return { work, rows };
}

/** Whether strips on a view's axis are runs of whole rows, one after the other. */
function runsAlong({ shape }: View, { axes, steps }: Layout, axis: number, rootAxis: number): boolean {
  if (axes[axis] !== rootAxis) return false;
  const others = [...shape.keys()].filter((at) => at !== axis && axes[at] === rootAxis);
  return others.reduce((run, at) => run + steps[at] * (shape[at] - 1), 1) === steps[axis];
}

function workOf(
  job: TileJob,
  index: number,
  axis: number | undefined,
  rows: ReadonlyMap<Root, Rows>,
  jobs: readonly Job[],
): Work {
  const count = axis === undefined ? 1 : job.output.shape[axis];
  const own = rows.get(job.output.root) as Rows;
  const layout = own.cuttable ? layoutOf(job.output, own.shape) : undefined;
  const along = axis !== undefined && layout && runsAlong(job.output, layout, axis, own.axis) ? layout : undefined;
  const reads: Read[] = [];
  let constantBytes = 0;
  const whole = job.needs({ start: job.output.shape.map(() => 0), size: job.output.shape });
  job.inputs.forEach((view, input) => {
    if (!view) return;
    const read = rows.get(view.root);
    if (read) reads.push(readOf(job, axis ?? 0, input, view, read, rows, jobs));
    else if (view.root.kind === "constant") {
      const need = whole[input];
      if (need) constantBytes += bytesOfBox(view.root.dtype, need);
    }
  });
  const direct = job.direct?.input !== undefined || job.output.root.kind === "state";
  const across = own.cuttable && along === undefined;
  return {
    index,
    job,
    axis: axis ?? 0,
    count,
    reads,
    // Of a tensor that is not cut, rows are not known: all of it is there when all is made.
    write: {
      rows: own,
      ...(layout ? { layout } : {}),
      first: along ? along.starts[own.axis] : 0,
      step: along && axis !== undefined ? along.steps[axis] : 0,
    },
    constantBytes,
    movable: !direct && !across && axis !== undefined && count > 1,
  };
}

function readOf(
  job: TileJob,
  axis: number,
  input: number,
  view: View,
  rows: Rows,
  all: ReadonlyMap<Root, Rows>,
  jobs: readonly Job[],
): Read {
  const layout = rows.cuttable ? layoutOf(view, rows.shape) : undefined;
  const writers = (all.get(view.root)?.writers ?? []).filter((index) => {
    const job = jobs[index];
    const other = layout && job.kind === "tile" ? layoutOf(job.output, rows.shape) : undefined;
    return !layout || !other || !besides(layout, other, rows.axis);
  });
  const base = { input, view, rows, writers, ...(layout ? { layout } : {}) };
  const count = job.output.shape[axis] ?? 1;
  if (!layout || count < 3) return { ...base, slope: 0, low: 0, high: rows.count };
  // Two strips of one row each, far from the borders where windows are clipped.
  const [a, b] = [Math.floor(count / 3), Math.max(Math.floor(count / 3) + 1, Math.floor((count * 2) / 3))];
  const at = (row: number) => {
    const need = needsOf(job, axis, row, row + 1)[input];
    return need ? rowsOfBox(need, layout, rows.axis) : { low: 0, high: rows.count };
  };
  const [p, q] = [at(a), at(b)];
  const slope = (q.low - p.low) / (b - a);
  return { ...base, slope, low: p.low - slope * a, high: p.high - slope * (a + 1) };
}
