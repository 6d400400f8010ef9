/** One program's jobs as pipeline stages, an NPU each, through which a batch goes piece by piece. */
import { dramBytesPerCycle, engineCycles } from "../../emulate/cycles.ts";
import type { Target } from "../../target/schema.ts";
import { sizedCommand } from "../grid-facts.ts";
import { inputsOf, type Job, outputsOf, type TileJob } from "../job.ts";
import { loadJob, storeJob } from "../jobs/move.ts";
import type { Transfers } from "../transfers.ts";
import { type Box, boxView, bytesOfBox, type Root, type View, viewOfRoot, wholeBox } from "../view.ts";
import { packedConstant } from "../weights.ts";
import { EXPOSED, exchangeCycles, isLoad } from "./choose.ts";
import { boxOfPiece, rootOfPiece, sharedNeed, viewOfPiece, windowsByPiece } from "./pieces.ts";
import { partOf } from "./split.ts";
import { bestStages } from "./stages.ts";

/** More places than this are thinned out: each pair of them is a stage to be looked at. */
const MOST_PLACES = 256;

/** Who touches a root in SRAM, by index of the jobs, ascending. */
interface Uses {
  readonly writers: number[];
  readonly readers: number[];
}

function isStore(job: Job): job is TileJob {
  return job.kind === "tile" && job.engine === "dma-out" && job.direct?.output === true && job.inputs.length === 1;
}

function usesOf(jobs: readonly Job[]): Map<Root, Uses> {
  const uses = new Map<Root, Uses>();
  const of = (root: Root): Uses => {
    const known = uses.get(root) ?? { writers: [], readers: [] };
    uses.set(root, known);
    return known;
  };
  jobs.forEach((job, index) => {
    const outside = job.kind === "tile" && job.direct?.output === true;
    if (isLoad(job)) return;
    for (const { root } of inputsOf(job)) if (root.kind !== "constant") of(root).readers.push(index);
    if (outside) return;
    for (const { root } of outputsOf(job)) of(root).writers.push(index);
  });
  return uses;
}

/** Where a stage may end: nobody adds to a tensor that another NPU has begun, nor changes what was loaded for several. */
function placesOf(jobs: readonly Job[], uses: ReadonlyMap<Root, Uses>): number[] {
  const closed = new Uint8Array(jobs.length + 1);
  for (const [root, { writers, readers }] of uses) {
    if (writers.length === 0) continue;
    const touches = root.kind === "computed" ? writers : [...writers, ...readers];
    const first = touches.reduce((least, at) => Math.min(least, at));
    const last = touches.reduce((most, at) => Math.max(most, at));
    closed.fill(1, first + 1, last + 1);
  }
  const open = [...closed.keys()].filter((at) => at === 0 || at === jobs.length || closed[at] === 0);
  const step = Math.ceil(open.length / MOST_PLACES);
  return open.filter((at, index) => at === jobs.length || index % step === 0);
}

interface Plan {
  readonly pieces: number;
  readonly starts: readonly number[];
  /** By job: what it makes of each piece; undefined where it takes them all at once. */
  readonly windows: readonly (readonly Box[] | undefined)[];
  readonly cycles: number;
}

function planOf(
  jobs: readonly Job[],
  uses: ReadonlyMap<Root, Uses>,
  npus: number,
  pieces: number,
  target: Target,
  least: number,
): Plan {
  const perCycle = dramBytesPerCycle(target);
  const windows = jobs.map((job) => windowsByPiece(job, pieces));
  const sums = { array: [0], vector: [0] };
  let bytes = 0;
  jobs.forEach((job, index) => {
    const own = { array: 0, vector: 0 };
    if (job.kind === "tile" && (job.engine === "array" || job.engine === "vector")) {
      const [window] = windows[index] ?? [wholeBox(job.output.shape)];
      own[job.engine] = engineCycles(sizedCommand(job, window), target) / (windows[index] ? 1 : pieces);
    }
    sums.array.push(sums.array[index] + own.array);
    sums.vector.push(sums.vector[index] + own.vector);
    if (job.kind === "tile") {
      const needs = job.needs(wholeBox(job.output.shape));
      job.inputs.forEach((view, input) => {
        const need = needs[input];
        if (view && need && view.root.kind !== "computed") bytes += bytesOfBox(view.root.dtype, need);
      });
    }
  });
  // What a stage that begins there must be sent.
  const sent = new Float64Array(jobs.length + 2);
  for (const [root, { writers, readers }] of uses) {
    const last = readers.reduce((most, at) => (isStore(jobs[at]) ? most : Math.max(most, at)), -1);
    const from = writers.at(-1);
    if (from === undefined || last <= from) continue;
    sent[from + 1] += root.bytes / pieces;
    sent[last + 1] -= root.bytes / pieces;
  }
  for (let at = 1; at < sent.length; at++) sent[at] += sent[at - 1];
  const latency = exchangeCycles(target);
  const stages = bestStages(
    {
      places: placesOf(jobs, uses),
      cycles: (from, to) => {
        const work = Math.max(sums.array[to] - sums.array[from], sums.vector[to] - sums.vector[from]);
        return work + (from === 0 ? 0 : latency + (EXPOSED * 2 * sent[from]) / perCycle);
      },
    },
    npus,
    pieces,
    least,
  );
  for (const start of stages.starts) if (start > 0) bytes += 2 * sent[start] * pieces;
  return { pieces, starts: stages.starts, windows, cycles: Math.max(stages.cycles, bytes / perCycle) };
}

/** Into how many pieces the batch may be cut: the outermost axis that all inputs have. */
function piecesOf(jobs: readonly Job[]): number[] {
  const lengths = jobs.flatMap((job) => {
    const root = isLoad(job) ? job.output.root : undefined;
    return root?.kind === "input" ? [root.shape[0] ?? 1] : [];
  });
  const least = Math.min(...lengths);
  if (!Number.isFinite(least)) return [1];
  return Array.from({ length: Math.min(least, 16) }, (_, at) => at + 1).filter((pieces) =>
    lengths.every((length) => length % pieces === 0),
  );
}

class Stager {
  private readonly arranged: Job[] = [];
  private readonly jobs: readonly Job[];
  private readonly plan: Plan;
  private readonly uses: ReadonlyMap<Root, Uses>;
  private readonly stages: readonly number[];
  /** Tensors whose pieces are tensors of their own. */
  private readonly divided = new Map<Root, readonly Root[]>();
  private readonly held = new Map<string, View>();
  private readonly numbers = new Map<Root, number>();
  readonly parts = new Map<Job, Job[]>();

  constructor(jobs: readonly Job[], uses: ReadonlyMap<Root, Uses>, plan: Plan) {
    this.jobs = jobs;
    this.uses = uses;
    this.plan = plan;
    const stages = jobs.map((_, index) => plan.starts.findLastIndex((start) => start <= index));
    // A store belongs to who made what it stores.
    jobs.forEach((job, index) => {
      const made = isStore(job) && job.inputs[0] ? uses.get(job.inputs[0].root)?.writers.at(-1) : undefined;
      if (made !== undefined && made < index) stages[index] = stages[made];
    });
    this.stages = stages;
    if (plan.pieces === 1) return;
    for (const [root, { writers, readers }] of uses) {
      if (root.kind !== "computed" || [...writers, ...readers].some((at) => !plan.windows[at])) continue;
      this.divided.set(
        root,
        Array.from({ length: plan.pieces }, (_, piece) => rootOfPiece(root, piece, plan.pieces)),
      );
    }
  }

  isDivided(root: Root): boolean {
    return this.divided.has(root);
  }

  /** Runs of jobs that go by pieces: all of them for one piece, then for the next. */
  run(): Job[] {
    const { windows, pieces } = this.plan;
    for (let from = 0; from < this.jobs.length; ) {
      let to = from;
      while (to < this.jobs.length && windows[to]) to++;
      for (let piece = 0; piece < pieces; piece++) for (let at = from; at < to; at++) this.add(at, piece);
      if (to < this.jobs.length) this.add(to, undefined);
      from = to + 1;
    }
    return this.arranged;
  }

  private add(index: number, piece: number | undefined): void {
    const job = this.jobs[index];
    const npu = this.stages[index];
    if (job.kind === "cpu") {
      this.arranged.push(job);
      return;
    }
    if (isLoad(this.jobs[index])) {
      const to = this.readingStages(job.output.root);
      this.load(job, this.boxed(job.output.root, piece), to.length > 0 ? to : [npu]);
      return;
    }
    const window = (piece === undefined ? undefined : this.plan.windows[index]?.[piece]) ?? wholeBox(job.output.shape);
    const part = this.placed(partOf(job, window, npu), index, piece);
    this.arranged.push(part);
    this.parts.set(job, [...(this.parts.get(job) ?? []), part]);
    if (!job.direct?.output) this.exchange(job, index, piece);
  }

  private readingStages(root: Root): number[] {
    const stages = new Set((this.uses.get(root)?.readers ?? []).map((reader) => this.stages[reader]));
    return [...stages].sort((a, b) => a - b);
  }

  private boxed(root: Root, piece: number | undefined): View {
    const own = piece === undefined ? undefined : this.divided.get(root)?.[piece];
    if (own || piece === undefined) return viewOfRoot(own ?? root);
    return boxView(viewOfRoot(root), boxOfPiece(root, piece, this.plan.pieces));
  }

  private load({ name, origin }: TileJob, part: View, to: readonly number[]): void {
    this.arranged.push({
      ...loadJob({ name, origin }, part, part),
      npu: to[0],
      ...(to.length > 1 ? { npus: to } : {}),
    });
  }

  /** Sends what a stage has made to those that read it. */
  private exchange(job: TileJob, index: number, piece: number | undefined): void {
    const { root } = job.output;
    if (this.uses.get(root)?.writers.at(-1) !== index) return;
    const npu = this.stages[index];
    const to = this.readingStages(root).filter((stage) => stage !== npu);
    if (to.length === 0) return;
    const part = this.boxed(root, piece);
    this.arranged.push({ ...storeJob(job, part, part), npu });
    this.load(job, part, to);
  }

  /** With the tensors of its piece, and with the constants that stay for all pieces. */
  private placed(part: TileJob, index: number, piece: number | undefined): TileJob {
    if (piece === undefined || this.plan.pieces === 1) return part;
    const own = (view: View): View => {
      const root = this.divided.get(view.root)?.[piece];
      return root ? viewOfPiece(view, root, piece) : view;
    };
    const inputs = part.inputs.map((view, input) => {
      if (view?.root.kind !== "constant") return view && own(view);
      return part.direct?.input === input ? view : this.constant(part, view, input, index);
    });
    return { ...part, inputs, output: own(part.output) };
  }

  private constant(part: TileJob, view: View, input: number, index: number): View {
    const job = this.jobs[index];
    const windows = this.plan.windows[index];
    if (job.kind === "cpu" || !windows || !sharedNeed(job, input, windows)) return view;
    const number = this.numbers.get(view.root) ?? this.numbers.size;
    this.numbers.set(view.root, number);
    const key = `${number} ${part.npu} ${view.offset} ${view.shape} ${view.strides}`;
    const known = this.held.get(key);
    if (known) return known;
    const packed = packedConstant(view);
    const { codes: _, ...held } = { ...packed, name: `${packed.name}/held`, kind: "computed" as const };
    const resident = viewOfRoot(held);
    const load = loadJob({ name: part.name, origin: part.origin }, viewOfRoot(packed), resident);
    this.arranged.push({ ...load, npu: part.npu });
    this.held.set(key, resident);
    return resident;
  }
}

/**
 * The jobs of `transfers` as contiguous stages, each wholly on one NPU, and an estimate of what a run takes; the number of
 * pieces that the batch is cut into is the one that promises most. `always`: no NPU is left out, and no batch whole, where
 * there is another way.
 */
export function stageJobs(
  transfers: Transfers,
  npus: number,
  target: Target,
  always: boolean,
): { readonly transfers: Transfers; readonly cycles: number; readonly pieces: number } {
  const { jobs } = transfers;
  const uses = usesOf(jobs);
  const counts = piecesOf(jobs);
  const tried = always && counts.length > 1 ? counts.filter((pieces) => pieces > 1) : counts;
  const plan = tried
    .map((pieces) => planOf(jobs, uses, npus, pieces, target, always ? npus : 1))
    .reduce((best, other) => (other.cycles < best.cycles ? other : best));
  const stager = new Stager(jobs, uses, plan);
  const arranged = stager.run();
  const inPlace = new Map(
    [...transfers.inPlace].flatMap(([root, { port, jobs: stores }]) => {
      // A tensor in pieces has no one place in the port's memory.
      if (stager.isDivided(root)) return [];
      return [[root, { port, jobs: stores.flatMap((store) => stager.parts.get(store) ?? [store]) }] as const];
    }),
  );
  return { transfers: { ...transfers, jobs: arranged, inPlace }, cycles: plan.cycles, pieces: plan.pieces };
}
