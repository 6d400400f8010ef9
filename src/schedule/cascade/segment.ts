/** A run of jobs that are executed strip by strip: which rows each of them makes in which strip. */
import type { Root } from "../view.ts";
import type { Layout } from "./layout.ts";
import { rowsOfBox } from "./layout.ts";
import { type Analysis, needsOf, type Read, type Rows, type Work } from "./rows.ts";

/** How a segment holds a tensor: in strips of its own, or where it lies for good. */
export type Mode = "strips" | "whole";

/** What makes rows of a tensor: a job, or what brings in rows that were made before. */
export interface Part {
  readonly rows: Rows;
  /** Its place among the root's other axes. */
  readonly place?: Pick<Layout, "starts" | "ends">;
  readonly first: number;
  readonly step: number;
  /** Rows of the job's output; of a feed, rows of the root. */
  readonly count: number;
  readonly work?: Work;
  /** Whether all its rows are wanted by the end, little by little: somebody reads them after the segment. */
  readonly sink: boolean;
}

export interface Segment {
  /** Jobs [from, to). */
  readonly from: number;
  readonly to: number;
  /** One for each job, in order; then the feeds. */
  readonly parts: readonly Part[];
  /** By job: its reads with the parts of the segment that make what is read. */
  readonly links: readonly (readonly { readonly read: Read; readonly makers: readonly number[] }[])[];
  readonly modes: ReadonlyMap<Root, Mode>;
}

/** What lies between a segment and the rest: whether a tensor that lives longer than the segment stays in SRAM. */
export type InSram = (root: Root) => boolean;

/** First and last job that touches a tensor. */
export function lifeOf({ writers, readers }: Rows): { first: number; last: number } {
  return {
    first: Math.min(writers[0] ?? 0, readers[0] ?? Number.POSITIVE_INFINITY),
    last: Math.max(writers[writers.length - 1] ?? 0, readers[readers.length - 1] ?? 0),
  };
}

/** Whether a tensor lives in the segment only. */
export function isInside(rows: Rows, from: number, to: number): boolean {
  const { first, last } = lifeOf(rows);
  return rows.root.kind === "computed" && rows.writers.length > 0 && first >= from && last < to;
}

/** The segment of the jobs [from, to); all of them must be movable. */
export function segmentOf({ work }: Analysis, from: number, to: number, inSram: InSram): Segment {
  const own = work.slice(from, to) as Work[];
  const modes = new Map<Root, Mode>();
  for (const { reads } of own) {
    for (const { rows } of reads) {
      const strips = rows.cuttable && (isInside(rows, from, to) || !inSram(rows.root));
      modes.set(rows.root, strips ? "strips" : "whole");
    }
  }
  const parts: Part[] = own.map((job): Part => {
    const { rows, layout, first, step } = job.write;
    if (!modes.has(rows.root)) modes.set(rows.root, rows.cuttable && isInside(rows, from, to) ? "strips" : "whole");
    const sink = !isInside(rows, from, to);
    return { rows, ...(layout ? { place: layout } : {}), first, step, count: job.count, work: job, sink };
  });
  const feeds = new Map<string, number>();
  const feedOf = (rows: Rows, writer: number | undefined): number => {
    const key = `${rows.root.name} ${writer}`;
    const known = feeds.get(key);
    if (known !== undefined) return known;
    const place = writer === undefined ? undefined : work[writer]?.write.layout;
    const first = place?.starts[rows.axis] ?? 0;
    const count = (place?.ends[rows.axis] ?? rows.count) - first;
    parts.push({ rows, ...(place ? { place } : {}), first, step: 1, count, sink: false });
    feeds.set(key, parts.length - 1);
    return parts.length - 1;
  };
  const links = own.map(({ reads, index }) =>
    reads.map((read) => {
      const makers = read.writers.filter((writer) => writer >= from && writer < index).map((writer) => writer - from);
      if (modes.get(read.rows.root) !== "strips") return { read, makers };
      const before = read.writers.filter((writer) => writer < from);
      const outside = read.rows.writers.length === 0 ? [undefined] : before;
      return { read, makers: [...makers, ...outside.map((writer) => feedOf(read.rows, writer))] };
    }),
  );
  return { from, to, parts, links, modes };
}

/** How rows of the output ask for rows of an input: exactly, or by the slopes away from all borders. */
export interface Access {
  /** The first row that the output's rows from `row` on read. */
  low(work: Work, read: Read, row: number): number;
  /** One past the last row that the output's rows before `row` read. */
  high(work: Work, read: Read, row: number): number;
}

export const exactly: Access = {
  low: ({ job, axis }, read, row) => {
    const need = read.layout && needsOf(job, axis, row, row + 1)[read.input];
    return read.layout && need ? rowsOfBox(need, read.layout, read.rows.axis).low : 0;
  },
  high: ({ job, axis }, read, row) => {
    const need = read.layout && needsOf(job, axis, row - 1, row)[read.input];
    return read.layout && need ? rowsOfBox(need, read.layout, read.rows.axis).high : read.rows.count;
  },
};

export const roughly: Access = {
  low: (_, { slope, low }, row) => Math.floor(slope * row + low),
  high: (_, { slope, high, rows }, row) => (slope === 0 ? rows.count : Math.ceil(slope * row + high)),
};

/** How far each part must be when the sinks are at `share` of theirs: nothing is made before somebody asks for it. */
export function progressAt({ parts, links }: Segment, share: number, access: Access): number[] {
  const rough = access === roughly;
  const progress = parts.map(({ sink, rows, first, step, count }) => {
    if (!sink) return 0;
    // Parts of one tensor move together, so that what is written over another is written after it.
    const at = step === 0 ? count * share : (rows.count * share - first) / step;
    return rough ? Math.ceil(at) : Math.min(count, Math.max(0, share >= 1 ? count : Math.floor(at)));
  });
  for (let job = links.length - 1; job >= 0; job--) {
    const { work } = parts[job];
    if (!work || (!rough && progress[job] <= 0)) continue;
    for (const { read, makers } of links[job]) {
      const high = access.high(work, read, progress[job]);
      for (const maker of makers) {
        const { first, step, count } = parts[maker];
        const wanted = step === 0 ? count : Math.ceil((high - first) / step);
        progress[maker] = Math.max(progress[maker], rough ? wanted : Math.min(count, Math.max(0, wanted)));
      }
    }
  }
  return progress;
}

/** Rows [from, to) of every part in one strip, and the lowest row of each tensor that is read in it. */
export interface Strip {
  readonly spans: readonly { readonly from: number; readonly to: number }[];
  readonly readLow: ReadonlyMap<Root, number>;
}

/** `again`: parts that make rows anew that the strip before had already, instead of keeping them. */
export function stripOf(
  { parts, links }: Segment,
  before: readonly number[],
  after: readonly number[],
  again: ReadonlySet<number>,
  access: Access,
): Strip {
  const lows = parts.map(() => Number.POSITIVE_INFINITY);
  const readLow = new Map<Root, number>();
  const spans = parts.map(() => ({ from: 0, to: 0 }));
  const jobs = links.map((_, at) => links.length - 1 - at);
  const feeds = parts.slice(links.length).map((_, at) => links.length + at);
  for (const part of [...jobs, ...feeds]) {
    const { first, step, count, work } = parts[part];
    let from = Math.min(before[part], after[part]);
    if (again.has(part)) {
      const low = lows[part];
      from = low === Number.POSITIVE_INFINITY ? after[part] : Math.min(after[part], Math.floor((low - first) / step));
      if (access === exactly) from = Math.max(0, Math.min(count, from));
    }
    spans[part] = { from, to: after[part] };
    if (!work || after[part] <= from) continue;
    for (const { read, makers } of links[part]) {
      const low = access.low(work, read, from);
      const { root } = read.rows;
      readLow.set(root, Math.min(readLow.get(root) ?? Number.POSITIVE_INFINITY, low));
      for (const maker of makers) lows[maker] = Math.min(lows[maker], low);
    }
  }
  return { spans, readLow };
}
