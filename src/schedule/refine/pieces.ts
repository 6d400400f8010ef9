/** The tasks of many plans that differ in a job or two: put together from the tasks of their jobs, and from what two jobs wait for. */
import type { Target } from "../../target/schema.ts";
import type { Planned } from "../plan.ts";
import type { Residency } from "../residency.ts";
import type { PlannedJob } from "../stream.ts";
import { type Access, type JobTasks, roomsOf, roomsTouched, type Tasks, tasksOfJob } from "../tasks.ts";
import { boxesOverlap, type Root } from "../view.ts";

/** Array, vector unit, DRAM. */
const UNITS = 4;

interface Piece extends JobTasks {
  readonly planned: PlannedJob;
  /** Cycles that it keeps each unit busy. */
  readonly works: Float64Array;
}

/** By task of a later job, the tasks of an earlier one that it waits for; undefined where none does. */
type Links = readonly (readonly number[])[] | undefined;

type Memory = ReadonlyMap<Root, readonly Access[]>;

function linksOf(first: Piece, then: Piece): Links {
  let found: number[][] | undefined;
  const join = (before: Memory, after: Memory) => {
    for (const [root, accesses] of after) {
      for (const own of accesses) {
        for (const other of before.get(root) ?? []) {
          if (!(own.write || other.write) || !boxesOverlap(own.box, other.box)) continue;
          found ??= then.before.map(() => []);
          if (!found[own.task].includes(other.task)) found[own.task].push(other.task);
        }
      }
    }
  };
  join(first.sram, then.sram);
  join(first.dram, then.dram);
  return found;
}

/** Plans of tile jobs on one NPU whose constants are not joined yet. */
export class Pieces {
  private readonly target: Target;
  private readonly pieces = new Map<PlannedJob, Piece>();
  private readonly links = new Map<Piece, Map<Piece, Links>>();
  private readonly rooms = new Map<Residency, ReturnType<typeof roomsOf>>();

  constructor(target: Target) {
    this.target = target;
  }

  private pieceOf(planned: PlannedJob): Piece {
    const known = this.pieces.get(planned);
    if (known) return known;
    const own = tasksOfJob(planned, this.target);
    const works = new Float64Array(UNITS);
    own.unit.forEach((unit, task) => {
      works[unit] += own.cycles[task];
    });
    const piece = { ...own, planned, works };
    this.pieces.set(planned, piece);
    return piece;
  }

  private linksOf(first: Piece, then: Piece): Links {
    const known = this.links.get(first) ?? new Map<Piece, Links>();
    this.links.set(first, known);
    if (!known.has(then)) known.set(then, linksOf(first, then));
    return known.get(then);
  }

  /** Cycles that a job keeps each unit busy. */
  worksOf(planned: PlannedJob): Float64Array {
    return this.pieceOf(planned).works;
  }

  /** As `tasksOf`, and with what only follows for the sake of the order. */
  tasksOf(jobs: readonly PlannedJob[], residency: Planned["residency"]): Tasks {
    const pieces = jobs.map((one) => this.pieceOf(one));
    const room = this.rooms.get(residency) ?? roomsOf(residency);
    this.rooms.set(residency, room);
    const count = pieces.reduce((sum, { unit }) => sum + unit.length, 0);
    const [unit, cycles, latency] = [new Int32Array(count), new Float64Array(count), new Float64Array(count)];
    const before: number[][] = [];
    const follows = new Int32Array(count);
    const after: number[][] = Array.from({ length: count }, () => []);
    const steps: Tasks["steps"][number][] = [];
    const touches: (readonly number[])[] = [];
    const firsts: number[] = [];
    const nothing: readonly number[] = [];
    for (const [at, piece] of pieces.entries()) {
      const first = before.length;
      firsts.push(first);
      unit.set(piece.unit, first);
      cycles.set(piece.cycles, first);
      latency.set(piece.latency, first);
      const touched = roomsTouched(piece.planned.job, room[1]);
      for (const [task, own] of piece.before.entries()) {
        before.push(own.map((other) => other + first));
        for (const other of own) after[other + first].push(first + task);
        follows[first + task] = piece.follows[task] < 0 ? -1 : piece.follows[task] + first;
        steps.push(piece.steps[task]);
        touches.push(piece.steps[task] ? touched : nothing);
      }
      for (let earlier = 0; earlier < at; earlier++) {
        this.linksOf(pieces[earlier], piece)?.forEach((links, task) => {
          for (const other of links) {
            before[first + task].push(other + firsts[earlier]);
            after[other + firsts[earlier]].push(first + task);
          }
        });
      }
    }
    return { count, unit, cycles, latency, before, after, follows, steps, rooms: room[0], touches };
  }
}
