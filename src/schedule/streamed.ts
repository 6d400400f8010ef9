/** When what streams through SRAM is used, once the order of all tiles is known. */
import { outputsOf } from "./job.ts";
import type { AnyPlanned, StreamItem } from "./stream.ts";
import type { Step } from "./tasks.ts";
import type { Root } from "./view.ts";

/** An item with the first and the last step that use it. */
export interface Streamed {
  readonly item: StreamItem;
  readonly first: number;
  last: number;
  /** The last step before `first` that writes in DRAM what the item reads; −1 where none does. */
  readonly written: number;
}

/** Steps whose own command brings bytes from DRAM into an NPU's SRAM. */
export function loadsOf(jobs: readonly AnyPlanned[], steps: readonly Step[], npu: number): number[] {
  return steps.flatMap((step, at) => {
    const { job } = jobs[step.job];
    return job.kind === "tile" && job.engine === "dma-in" && (job.npu ?? 0) === npu ? [at] : [];
  });
}

/** All items in the order of their first use. */
export function streamOf(jobs: readonly AnyPlanned[], steps: readonly Step[]): Streamed[] {
  const found = new Map<StreamItem, Streamed>();
  const written = new Map<Root, number>();
  steps.forEach(({ job, tile }, at) => {
    const planned = jobs[job];
    if ("tiles" in planned) {
      const { items, output } = planned.tiles[tile];
      for (const item of [...items, output]) {
        if (!item) continue;
        const known = found.get(item);
        if (known) known.last = at;
        else {
          const root = item.kind === "input" ? item.view?.root : undefined;
          found.set(item, { item, first: at, last: at, written: (root && written.get(root)) ?? -1 });
        }
      }
    }
    for (const { root } of outputsOf(planned.job)) written.set(root, at);
  });
  return [...found.values()];
}

/** The largest of any consecutive numbers, in constant time. */
export class RangeMaximum {
  /** `levels[k][i]`: the largest of 2^k numbers from i on. */
  private readonly levels: Float64Array[];

  constructor(values: Float64Array) {
    this.levels = [values];
    for (let width = 1; 2 * width <= values.length; width *= 2) {
      const below = this.levels[this.levels.length - 1];
      this.levels.push(
        Float64Array.from({ length: values.length - 2 * width + 1 }, (_, at) => Math.max(below[at], below[at + width])),
      );
    }
  }

  /** Both ends included. */
  between(first: number, last: number): number {
    const level = 31 - Math.clz32(last - first + 1);
    const values = this.levels[level];
    return Math.max(values[first], values[last - (1 << level) + 1]);
  }
}
