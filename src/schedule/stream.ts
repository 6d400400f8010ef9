/** What flows through SRAM beside the resident tensors: constants, staged inputs and outputs, in the order of use. */
import { alignUp } from "./allocate.ts";
import { type Grid, type Places, tilesOf } from "./grid.ts";
import { sameBox } from "./grid-facts.ts";
import type { CpuJob, TileJob } from "./job.ts";
import { type Box, bytesOfBox, type View } from "./view.ts";
import { type Part, partOfConstant, type Weights } from "./weights.ts";

/** A block of SRAM that one or more consecutive tiles of a job use. */
export interface StreamItem {
  readonly kind: "package" | "input" | "output";
  readonly job: number;
  readonly bytes: number;
  /** Tiles of the job. */
  readonly first: number;
  last: number;
  /** `package`: offset of its bytes in the weights section, once they are there. */
  offset?: number;
  /** `input`, `output`: the part that is staged. */
  readonly view?: View;
  readonly box?: Box;
  /** `package`: this and its likes for other NPUs, loaded together. */
  mates?: readonly StreamItem[];
}

export interface Tile {
  readonly box: Box;
  readonly needs: readonly (Box | undefined)[];
  /** By input: the block that holds it; a package's inputs lie at `within` in theirs. */
  readonly items: readonly (StreamItem | undefined)[];
  readonly within: readonly number[];
  readonly output?: StreamItem;
}

export interface PlannedJob {
  readonly job: TileJob;
  readonly index: number;
  readonly grid: Grid;
  readonly places: Places;
  readonly tiles: readonly Tile[];
  /** Blocks in the order of their first use. */
  readonly items: readonly StreamItem[];
}

/** A job after its grid was chosen; a job on the host has none. */
export type AnyPlanned = PlannedJob | { readonly job: CpuJob };

/** Offsets of a package's constants, each aligned to 8 bytes. */
function layPackage(
  job: TileJob,
  places: Places,
  needs: readonly (Box | undefined)[],
): { within: number[]; bytes: number } {
  let bytes = 0;
  const within = job.inputs.map((view, index) => {
    const need = needs[index];
    if (!view || !need || places.inputs[index] !== "package") return 0;
    const at = bytes;
    bytes = alignUp(at + bytesOfBox(view.root.dtype, need), 8);
    return at;
  });
  return { within, bytes };
}

/** Puts the constants of a job into the weights section. */
export function fillPackages({ job, places, tiles }: PlannedJob, weights: Weights): void {
  const filled = new Set<StreamItem>();
  for (const { needs, items, within } of tiles) {
    const item = items.find((one) => one?.kind === "package");
    if (!item || filled.has(item)) continue;
    filled.add(item);
    const parts = job.inputs.flatMap((view, index): Part[] => {
      const need = needs[index];
      return view && need && places.inputs[index] === "package" ? [partOfConstant(view, need, within[index])] : [];
    });
    item.offset = weights.add(parts, item.bytes);
  }
}

/** A package with the boxes that it was made for. */
interface Bundle {
  readonly item: StreamItem;
  readonly within: readonly number[];
  readonly needs: readonly (Box | undefined)[];
}

/** Cuts a job into tiles and lists what each of them streams. `hold`: no package is loaded twice. */
export function planJob(job: TileJob, index: number, grid: Grid, places: Places, hold = false): PlannedJob {
  const items: StreamItem[] = [];
  const tiles: Tile[] = [];
  const current: (StreamItem | undefined)[] = job.inputs.map(() => undefined);
  const bundles: Bundle[] = [];
  let bundle: Bundle | undefined;
  const packaged = places.inputs.some((place) => place === "package");
  tilesOf(job, grid).forEach((box, number) => {
    const needs = job.needs(box);
    if (packaged) {
      const alike = (one: Bundle) =>
        job.inputs.every((_, at) => places.inputs[at] !== "package" || equal(needs[at], one.needs[at]));
      const same = (hold ? bundles : bundles.slice(-1)).find(alike);
      if (same) bundle = same;
      else {
        const { within, bytes } = layPackage(job, places, needs);
        const item: StreamItem = { kind: "package", job: index, bytes, first: number, last: number };
        bundle = { item, within, needs };
        bundles.push(bundle);
        items.push(item);
      }
    }
    const held = job.inputs.map((view, at) => {
      const need = needs[at];
      if (!view || !need) return undefined;
      if (places.inputs[at] === "package") return bundle?.item;
      if (places.inputs[at] !== "stage") return undefined;
      const before = current[at];
      if (before?.box && sameBox(before.box, need)) {
        before.last = number;
        return before;
      }
      const bytes = bytesOfBox(view.root.dtype, need);
      const item: StreamItem = { kind: "input", job: index, bytes, first: number, last: number, view, box: need };
      current[at] = item;
      items.push(item);
      return item;
    });
    const within = bundle?.within ?? job.inputs.map(() => 0);
    if (places.output !== "stage") {
      tiles.push({ box, needs, items: held, within });
      return;
    }
    const bytes = bytesOfBox(job.output.root.dtype, box);
    const output: StreamItem = {
      kind: "output",
      job: index,
      bytes,
      first: number,
      last: number,
      view: job.output,
      box,
    };
    items.push(output);
    tiles.push({ box, needs, items: held, within, output });
  });
  return { job, index, grid, places, tiles, items };
}

function equal(a: Box | undefined, b: Box | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && sameBox(a, b));
}

/** Constants that parts of one layer on several NPUs need alike are loaded once for all of them. */
export function joinPackages(jobs: readonly PlannedJob[]): void {
  const teams = new Map<number, Map<string, StreamItem[]>>();
  for (const { job, items } of jobs) {
    if (job.team === undefined) continue;
    const alike = teams.get(job.team) ?? new Map<string, StreamItem[]>();
    teams.set(job.team, alike);
    const times = new Map<number, number>();
    for (const item of items) {
      if (item.kind !== "package" || item.offset === undefined) continue;
      // A package that is loaded again is another load.
      const time = times.get(item.offset) ?? 0;
      times.set(item.offset, time + 1);
      const key = `${item.offset} ${item.bytes} ${time}`;
      alike.set(key, [...(alike.get(key) ?? []), item]);
    }
  }
  for (const alike of teams.values()) {
    for (const mates of alike.values()) if (mates.length > 1) for (const item of mates) item.mates = mates;
  }
}
