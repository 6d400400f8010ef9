/** A segment as jobs, strip by strip: every strip of a tensor is a tensor of its own, which begins with the rows kept from the last. */
import type { TileJob } from "../job.ts";
import { loadJob, moveJob, storeJob } from "../jobs/move.ts";
import { type Box, boxView, type Root, type View, viewOfRoot } from "../view.ts";
import { isSaved } from "./estimate.ts";
import { layoutOf, viewOfRows } from "./layout.ts";
import { needsOf, type Rows, type Work } from "./rows.ts";
import { exactly, type Part, progressAt, type Segment, type Strip, stripOf } from "./segment.ts";

/** Rows [low, high) of a tensor, as a tensor of its own. */
interface Held {
  readonly root: Root;
  readonly low: number;
}

/** A tensor that is held in strips, from strip to strip. */
interface Track {
  readonly rows: Rows;
  readonly parts: readonly number[];
  /** By strip: the lowest row that is read in it or later. */
  readonly needed: readonly number[];
  current?: Held;
  strip: number;
  /** The next strip, whose rows from DRAM are on their way already. */
  ahead?: Held;
}

class Cascade {
  readonly jobs: TileJob[] = [];
  /** Tensors that are read or written in DRAM strip by strip. */
  readonly inDram = new Set<Root>();
  private readonly segment: Segment;
  private readonly strips: readonly Strip[];
  private readonly progress: readonly (readonly number[])[];
  private readonly again: ReadonlySet<number>;
  private readonly tracks = new Map<Root, Track>();
  private readonly constants = new Map<Root, { readonly view: View; readonly held: View }[]>();
  private readonly lastTouch = new Map<Root, number>();

  constructor(segment: Segment, count: number, again: ReadonlySet<number>) {
    this.segment = segment;
    this.again = again;
    const progress = Array.from({ length: count }, (_, strip) => progressAt(segment, (strip + 1) / count, exactly));
    const start = segment.parts.map(() => 0);
    this.progress = [start, ...progress];
    this.strips = progress.map((after, strip) => stripOf(segment, this.progress[strip], after, again, exactly));
    segment.parts.forEach(({ rows }, index) => {
      if (segment.modes.get(rows.root) !== "strips") return;
      const track = this.tracks.get(rows.root);
      if (track) this.tracks.set(rows.root, { ...track, parts: [...track.parts, index] });
      else this.tracks.set(rows.root, { rows, parts: [index], needed: this.neededOf(rows.root), strip: -1 });
    });
  }

  private neededOf(root: Root): number[] {
    const needed: number[] = [];
    let low = Number.POSITIVE_INFINITY;
    for (let strip = this.strips.length - 1; strip >= 0; strip--) {
      low = Math.min(low, this.strips[strip].readLow.get(root) ?? low);
      needed[strip] = low;
    }
    return needed;
  }

  run(): void {
    const { links, parts } = this.segment;
    this.strips.forEach(({ spans }, strip) => {
      this.lastTouch.clear();
      const active = links.flatMap((_, job) => (spans[job].to > spans[job].from ? [job] : []));
      for (const job of active) {
        for (const { read } of links[job]) this.lastTouch.set(read.rows.root, job);
        this.lastTouch.set(parts[job].rows.root, job);
      }
      // In the first strip the constants that are still to come go first.
      const turn = strip === 0 ? active[active.length - 1] : (active[1] ?? 0);
      for (const job of active) {
        const { work } = parts[job];
        if (!work) continue;
        if (job >= turn) this.prefetch(strip + 1);
        for (const { read } of links[job]) this.enter(read.rows.root, strip);
        this.enter(parts[job].rows.root, strip);
        this.work(work, spans[job]);
        this.store(parts[job], spans[job]);
        const touched = new Set([...links[job].map(({ read }) => read.rows.root), parts[job].rows.root]);
        for (const root of touched) if (this.lastTouch.get(root) === job) this.leave(root, strip);
      }
    });
  }

  /** The name and origin for rows that are moved: those of who makes them. */
  private named(part: Part) {
    return part.work
      ? { name: part.work.job.name, origin: part.work.job.origin }
      : { name: part.rows.root.name, origin: [] };
  }

  private top({ rows, first, step }: Part, progress: number): number {
    if (progress <= 0) return first;
    return step === 0 ? rows.count : first + step * progress;
  }

  private hold(rows: Rows, low: number, high: number, suffix: string): Held {
    const { root, shape, axis } = rows;
    const own = shape.map((size, at) => (at === axis ? high - low : size));
    const bytes = rows.bytes * (high - low);
    const name = `${root.name}/${suffix}`;
    return { root: { name, dtype: root.dtype, shape: own, bytes, kind: "computed" }, low };
  }

  /** The box of one part's rows [low, high) in what is held. */
  private boxOf({ rows, place }: Part, held: Held, low: number, high: number): Box {
    return {
      start: rows.shape.map((_, axis) => (axis === rows.axis ? low - held.low : (place?.starts[axis] ?? 0))),
      size: rows.shape.map((size, axis) => {
        if (axis === rows.axis) return high - low;
        return place ? place.ends[axis] - place.starts[axis] : size;
      }),
    };
  }

  /** Rows of a tensor where it lies for good. */
  private outside(part: Part, low: number, high: number): View {
    const { root, shape } = part.rows;
    const { offset, strides } = viewOfRoot({ ...root, shape });
    const whole = shape === root.shape ? viewOfRoot(root) : { root, offset, shape, strides };
    return boxView(whole, this.boxOf(part, { root, low: 0 }, low, high));
  }

  /** The parts of a tensor that get new rows in a strip. */
  private fresh({ parts }: Track, strip: number): number[] {
    const { spans } = this.strips[strip];
    return parts.filter((part) => spans[part].to > spans[part].from);
  }

  /** A strip of a tensor, with its rows from DRAM; undefined where it is the strip before that is read on. */
  private begin(track: Track, strip: number): Held | undefined {
    const { parts } = this.segment;
    const { spans } = this.strips[strip];
    const fresh = this.fresh(track, strip);
    if (fresh.length === 0 && track.current) return undefined;
    const afresh = track.parts.some((part) => this.again.has(part));
    let low = afresh ? Number.POSITIVE_INFINITY : track.needed[strip];
    let high = 0;
    for (const part of track.parts) high = Math.max(high, this.top(parts[part], this.progress[strip + 1][part]));
    for (const part of fresh) low = Math.min(low, this.top(parts[part], spans[part].from));
    const held = this.hold(track.rows, low, high, `${strip}`);
    for (const part of fresh) if (!parts[part].work) this.load(parts[part], held, spans[part]);
    return held;
  }

  /** Rows from DRAM that the next strip begins with are brought in while this one, once it has its own, is at work. */
  private prefetch(next: number): void {
    if (next >= this.strips.length) return;
    for (const track of this.tracks.values()) {
      if (track.strip !== next - 1 || track.ahead || track.parts.some((part) => this.segment.parts[part].work))
        continue;
      if (this.fresh(track, next).length > 0) track.ahead = this.begin(track, next);
    }
  }

  /** The tensor's strip, made when it is first touched: kept rows are put back. */
  private enter(root: Root, strip: number): void {
    const track = this.tracks.get(root);
    if (!track || track.strip === strip) return;
    track.strip = strip;
    const held = track.ahead ?? this.begin(track, strip);
    track.ahead = undefined;
    if (!held) return;
    if (track.current) {
      for (const part of track.parts) {
        if (this.again.has(part)) continue;
        const own = this.segment.parts[part];
        const from = Math.max(track.needed[strip], own.first, track.current.low);
        this.move(own, track.current, held, from, this.top(own, this.progress[strip][part]));
      }
    }
    track.current = held;
  }

  private move(part: Part, from: Held, to: Held, low: number, high: number): void {
    if (low >= high) return;
    const source = boxView(viewOfRoot(from.root), this.boxOf(part, from, low, high));
    const target = boxView(viewOfRoot(to.root), this.boxOf(part, to, low, high));
    this.jobs.push(moveJob(this.named(part), source, target));
  }

  private load(part: Part, held: Held, span: { from: number; to: number }): void {
    const [low, high] = [this.top(part, span.from), this.top(part, span.to)];
    this.inDram.add(part.rows.root);
    const target = boxView(viewOfRoot(held.root), this.boxOf(part, held, low, high));
    this.jobs.push(loadJob(this.named(part), this.outside(part, low, high), target));
  }

  /** Rows that somebody reads after the segment go to DRAM where they are held in strips. */
  private store(part: Part, span: { from: number; to: number }): void {
    const track = this.tracks.get(part.rows.root);
    if (!part.sink || !track?.current) return;
    const [low, high] = [this.top(part, span.from), this.top(part, span.to)];
    this.inDram.add(part.rows.root);
    const source = boxView(viewOfRoot(track.current.root), this.boxOf(part, track.current, low, high));
    this.jobs.push(storeJob(this.named(part), source, this.outside(part, low, high)));
  }

  /** After the last use of a strip: the rows that the next one needs are put aside, so that the rest is free. */
  private leave(root: Root, strip: number): void {
    const track = this.tracks.get(root);
    const held = track?.current;
    if (!track || !held) return;
    const low = strip + 1 < this.strips.length ? track.needed[strip + 1] : Number.POSITIVE_INFINITY;
    const kept = track.parts.filter((part) => !this.again.has(part));
    let high = 0;
    for (const part of kept) high = Math.max(high, this.top(this.segment.parts[part], this.progress[strip + 1][part]));
    if (low >= high) {
      track.current = undefined;
      return;
    }
    if (!isSaved(high - low, held.root.shape[track.rows.axis])) return;
    const halo = this.hold(track.rows, low, high, `${strip} kept`);
    for (const part of kept) {
      const own = this.segment.parts[part];
      this.move(own, held, halo, Math.max(low, own.first), this.top(own, this.progress[strip + 1][part]));
    }
    track.current = halo;
  }

  /** An operand in the strip that holds it, or where it lies for good. */
  private seen(view: View): View {
    const track = this.tracks.get(view.root);
    const held = track?.current;
    if (!track || !held) return view;
    const layout = layoutOf(view, track.rows.shape);
    return layout ? viewOfRows(view, layout, held.root, track.rows.axis, held.low) : view;
  }

  /** Constants are brought in once for all strips. */
  private constant(view: View, need: Box, job: TileJob): View {
    const all = this.constants.get(view.root) ?? [];
    this.constants.set(view.root, all);
    const known = all.find(
      (other) => other.view.offset === view.offset && String(other.view.shape) === String(view.shape),
    );
    if (known) return known.held;
    const box = boxView(view, need);
    const { name, dtype } = view.root;
    const elements = box.shape.reduce((product, size) => product * size, 1);
    const size = view.root.bytes / view.root.shape.reduce((product, length) => product * length, 1);
    const root: Root = { name: `${name}/held`, dtype, shape: box.shape, bytes: elements * size, kind: "computed" };
    const held = viewOfRoot(root);
    this.jobs.push(loadJob({ name: job.name, origin: job.origin }, box, held));
    all.push({ view, held });
    return held;
  }

  private work({ job, axis }: Work, { from, to }: { from: number; to: number }): void {
    const { shape } = job.output;
    const box: Box = {
      start: shape.map((_, at) => (at === axis ? from : 0)),
      size: shape.map((size, at) => (at === axis ? to - from : size)),
    };
    const needs = needsOf(job, axis, from, to);
    const everything = job.needs({ start: shape.map(() => 0), size: shape });
    const shifts: (readonly number[] | undefined)[] = [];
    const inputs = job.inputs.map((view, input) => {
      const need = needs[input];
      if (!view || !need) return view;
      if (view.root.kind === "constant") {
        const all = everything[input];
        const whole = all?.size.every((size, at) => size === view.shape[at]) === true;
        return whole && String(all?.size) === String(need.size) ? this.constant(view, need, job) : view;
      }
      shifts[input] = need.start;
      return boxView(this.seen(view), need);
    });
    const shifted = (own: Box): Box => ({
      start: own.start.map((at, index) => at + box.start[index]),
      size: own.size,
    });
    this.jobs.push({
      ...job,
      inputs,
      output: boxView(this.seen(job.output), box),
      needs: (own) =>
        job.needs(shifted(own)).map((need, input) => {
          const by = shifts[input];
          return need && by ? { start: need.start.map((at, index) => at - by[index]), size: need.size } : need;
        }),
      command: (own, operands, output) => job.command(shifted(own), operands, output),
    });
  }
}

export interface CascadeJobs {
  readonly jobs: readonly TileJob[];
  /** Tensors that are read or written in DRAM strip by strip. */
  readonly inDram: ReadonlySet<Root>;
}

/** The jobs of a segment in `strips` strips. */
export function stripJobs(segment: Segment, strips: number, again: ReadonlySet<number>): CascadeJobs {
  const cascade = new Cascade(segment, strips, again);
  cascade.run();
  return { jobs: cascade.jobs, inDram: cascade.inDram };
}
