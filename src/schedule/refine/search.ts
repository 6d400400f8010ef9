/** Plans of a small program, timed as whole programs; the steps of the search are counted. */
import { costOf } from "../../emulate/costs.ts";
import { dramBytesPerCycle } from "../../emulate/cycles.ts";
import type { Target } from "../../target/schema.ts";
import { alignUp } from "../allocate.ts";
import { arrange, arrangeAs, cyclesOf, type Given } from "../arrange.ts";
import { OutOfSram } from "../emit.ts";
import { estimatedEnd, type Sequence } from "../order.ts";
import type { Planned, Prepared } from "../plan.ts";
import type { Command } from "../program.ts";
import type { PlannedJob } from "../stream.ts";
import type { Tasks } from "../tasks.ts";
import type { Root } from "../view.ts";
import { Pieces } from "./pieces.ts";

/** A plan of an entry, and how long it takes. */
export interface Candidate {
  readonly entry: Prepared;
  readonly planned: Planned;
  readonly cycles: number;
}

type Timed = Pick<Candidate, "planned" | "cycles">;

/** What an evaluation costs beside its tiles. */
const FIXED = 6;

export class Search {
  /** Steps that are left. */
  left = 0;
  readonly target: Target;
  private readonly known = new Map<string, Timed>();
  private readonly estimates = new Map<string, { readonly cycles: number; readonly isExact: boolean }>();
  private readonly pieces: Pieces;
  private readonly ids = new Map<object, number>();

  constructor(target: Target) {
    this.target = target;
    this.pieces = new Pieces(target);
  }

  /** Allows so many further steps. */
  allow(steps: number): void {
    this.left = Math.max(0, this.left) + steps;
  }

  private idOf(thing: object): number {
    const id = this.ids.get(thing) ?? this.ids.size;
    this.ids.set(thing, id);
    return id;
  }

  /** Equal for plans of the same tiles and tensors in SRAM. */
  keyOf({ jobs, residency }: Planned): string {
    return [...jobs, residency].map((one) => this.idOf(one)).join(" ");
  }

  /** What arranging needs to know; DRAM addresses are stand-ins, aligned as the true ones are. */
  given({ jobs, apart = false }: Planned): Given {
    const { target } = this;
    let next = 0;
    const take = (bytes: number) => {
      next += alignUp(Math.max(1, bytes), 64);
      return next - alignUp(Math.max(1, bytes), 64);
    };
    for (const one of jobs) {
      if (!("items" in one)) continue;
      for (const item of one.items) if (item.kind === "package") item.offset = take(item.bytes);
    }
    const addresses = new Map<Root, number>();
    const dramAddress = (root: Root) => {
      const address = addresses.get(root) ?? take(root.bytes);
      addresses.set(root, address);
      return address;
    };
    const perCycle = dramBytesPerCycle(target);
    const workOf = (command: Command) => costOf(command, target, perCycle);
    return { jobs, npus: 1, dramAddress, prefetch: true, lead: 2 * target.dma.latencyCycles, workOf, apart };
  }

  private spend({ jobs }: Planned): void {
    this.left -= FIXED + jobs.reduce((sum, one) => sum + ("tiles" in one ? one.tiles.length : 1), 0);
  }

  /** A plan, in the order that was found for it, with what the whole program will take: infinite where memory does not suffice. */
  time(planned: Planned, brief: boolean): Timed {
    const { residency } = planned;
    const key = `${planned.apart} ${this.keyOf(planned)}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    this.spend(planned);
    const given = this.given(planned);
    let found: Timed = { planned, cycles: Number.POSITIVE_INFINITY };
    try {
      const arranged = arrange(given, residency, this.target, brief, this.tasksOf(planned));
      const { sequence } = arranged;
      found = { planned: { ...planned, sequence }, cycles: cyclesOf(arranged, given, this.target) };
    } catch (error) {
      if (!(error instanceof OutOfSram)) throw error;
    }
    this.known.set(key, found);
    return found;
  }

  /** In a certain order of the tiles. */
  timeAs(planned: Planned, sequence: Sequence): number {
    this.spend(planned);
    const given = this.given(planned);
    const found = arrangeAs(given, planned.residency, sequence, this.target);
    return found ? cyclesOf(found, given, this.target) : Number.POSITIVE_INFINITY;
  }

  /** The tasks of a plan. */
  tasksOf({ jobs, residency }: Planned): Tasks {
    return this.pieces.tasksOf(jobs.filter(isTiled), residency);
  }

  /** Cycles that the jobs keep the busiest unit busy: no order takes less. */
  workOf(jobs: Planned["jobs"]): number {
    const works = new Float64Array(4);
    for (const one of jobs) {
      if (isTiled(one)) for (const [unit, cycles] of this.pieces.worksOf(one).entries()) works[unit] += cycles;
    }
    return Math.max(...works);
  }

  /** As the tiles would take without hazards of memory and drains: about what `time` says; not below `limit` where that is more. */
  estimate(planned: Planned, limit = Number.POSITIVE_INFINITY): number {
    const { jobs } = planned;
    const key = this.keyOf(planned);
    const known = this.estimates.get(key);
    if (known !== undefined && (known.isExact || known.cycles >= limit)) return known.cycles;
    const work = this.workOf(jobs);
    let found = { cycles: work, isExact: false };
    if (work < limit) {
      const tasks = this.tasksOf(planned);
      found = estimatedEnd(tasks, this.target.sram.bytes, limit);
      this.left -= found.isExact ? 1 + tasks.count / 8 : 1;
    }
    this.estimates.set(key, found);
    return found.cycles;
  }
}

function isTiled(one: Planned["jobs"][number]): one is PlannedJob {
  return "tiles" in one;
}
