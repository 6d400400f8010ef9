/**
 * One pass over an entry's commands, in program order. Every byte remembers its last writer and its readers since; each access
 * must come after those that it conflicts with, whatever the engines' relative speed. As long as no fault was found,
 * the last writer comes after all earlier ones, and the last reader of each queue after its earlier ones: so no race is missed.
 */
import { bug } from "../error.ts";
import type { Command, Entry, Operand, Program } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { npusOf, readsOf, worksInPlace, writesOf } from "./access.ts";
import type { ChannelSums, Constant } from "./constants.ts";
import { copiedContent, type Seen, type Written } from "./copy.ts";
import { Effort, MOST_CONSTANTS, MOST_RUNS } from "./effort.ts";
import { type Findings, layerOf, nameOf } from "./fault.ts";
import { checkForm, rangeOf } from "./form.ts";
import { contiguous, extentOf, forEachRun, isSameView, runCount, runsOf } from "./operand.ts";
import { type Order, orderOf } from "./order.ts";
import { checkPorts, PlanWalk } from "./plan.ts";
import { followRanges, type Outcome, type Value } from "./ranges.ts";
import { type Content, type Fate, fate, Shadow } from "./shadow.ts";

export interface WalkOptions {
  readonly readsWeights: boolean;
  /** Gets what was found out about a command that is formed well. */
  readonly onRanges: (command: Command, index: number, outcome: Outcome) => void;
}

export class Walk {
  private readonly entry: Entry;
  private readonly program: Program;
  private readonly target: Target;
  private readonly findings: Findings;
  private readonly options: WalkOptions;
  private readonly order: Order;
  private readonly plan: PlanWalk;
  private readonly dram = new Shadow();
  private readonly sram: readonly Shadow[];
  private readonly memo = new Map<string, ChannelSums>();
  private readonly runs = new Effort(MOST_RUNS);
  private readonly constants = new Effort(MOST_CONSTANTS);
  private stamp = 0;

  constructor(entry: Entry, program: Program, target: Target, findings: Findings, options: WalkOptions) {
    this.entry = entry;
    this.program = program;
    this.target = target;
    this.findings = findings;
    this.options = options;
    this.sram = Array.from({ length: program.npus }, () => new Shadow());
    this.order = orderOf(entry, program.npus, findings);
    const index = program.entries.indexOf(entry);
    this.plan = new PlanWalk(entry, program.plan[index], program, target, findings);
    const bytesOf = (port: Parameters<typeof contiguous>[0]) => {
      const { low, high } = extentOf(contiguous(port));
      return high - low;
    };
    checkPorts(entry, program, findings, bytesOf);
    for (const port of [...entry.inputs, ...program.states]) {
      const [low, high] = rangeOf(port.dtype);
      const given = fate(-1, { kind: "codes", dtype: port.dtype, low, high });
      const { low: first, high: end } = extentOf(contiguous(port));
      if (this.isInDram(first, end)) this.dram.update(first, end, () => given);
    }
  }

  run(): void {
    const { commands } = this.entry;
    for (let index = 0; index < commands.length && !this.findings.full; index++) this.command(commands[index], index);
    this.finish();
  }

  private command(command: Command, index: number): void {
    const { findings } = this;
    const where = layerOf(command, index);
    let wellFormed = true;
    const sane = checkForm(command, this.program, this.target, (kind, says) => {
      wellFormed = false;
      findings.add(kind, where, says, index);
    });
    this.plan.begin(index);
    const affordable = sane && this.affords(command, index, where);
    if (affordable) {
      const seen = new Map<string, Seen>();
      for (const { role, operand } of readsOf(command)) {
        this.plan.access(operand, command.npu, index, where);
        seen.set(role, this.read(operand, command.npu, index, where));
      }
      const content = this.follow(command, index, seen, wellFormed);
      for (const operand of writesOf(command)) {
        for (const npu of operand.space === "sram" ? npusOf(command) : [command.npu]) {
          this.plan.access(operand, npu, index, where);
          this.write(command, operand, npu, index, where, content(operand));
        }
      }
    }
    this.plan.end(index);
  }

  /** Views that fall into countless runs are not followed. */
  private affords(command: Command, index: number, where: string): boolean {
    const written = writesOf(command).map((operand) => runCount(runsOf(operand)) * npusOf(command).length);
    const read = readsOf(command).map(({ operand }) => runCount(runsOf(operand)));
    const runs = [...written, ...read].reduce((sum, count) => sum + count, 0);
    if (this.runs.spend(runs)) return true;
    this.findings.add("form", where, "the program's views fall into more runs than a check may follow", index);
    return false;
  }

  private memoryOf({ space }: Operand, npu: number): Shadow {
    return space === "dram" ? this.dram : this.sram[npu];
  }

  private isInDram(low: number, high: number): boolean {
    return low >= 0 && high <= this.program.dramBytes;
  }

  private isWeights(operand: Operand): boolean {
    return operand.space === "dram" && extentOf(operand).low < this.program.weightBytes;
  }

  private read(operand: Operand, npu: number, index: number, where: string): Seen {
    const contents = new Set<Content>();
    const pieces: Seen["pieces"] = [];
    if (this.isWeights(operand)) {
      const { low, high } = extentOf(operand);
      if (high > this.program.weightBytes)
        this.findings.add("bounds", where, "an operand reaches beyond the weights", index);
      contents.add(WEIGHTS);
      pieces.push({ low, high, delta: 0 });
      return { contents, pieces };
    }
    const memory = this.memoryOf(operand, npu);
    const mark = this.stamp++;
    const queue = this.order.queues[index];
    forEachRun(runsOf(operand), (low, high) =>
      memory.update(low, high, (old, from, to) => {
        if (old === undefined) {
          const says = `it reads bytes ${from} to ${to} of ${operand.space}, which nobody has written`;
          this.findings.add("unwritten", where, says, index);
          return old;
        }
        if (old.mark !== mark) {
          old.mark = mark;
          contents.add(old.content);
          this.mustFollow(old.writer, index, where, operand, "reads what", "writes");
          old.next = this.withReader(old, queue, index);
        }
        if (old.content.kind === "weights") addPiece(pieces, from, to, old.content.delta);
        return old.next;
      }),
    );
    return { contents, pieces };
  }

  /** Readers that the new one comes after need not be remembered: whoever comes after it comes after them. */
  private withReader(old: Fate, queue: number, index: number): Fate {
    if (old.readers?.[queue] === index) return old;
    const readers = old.readers ? old.readers.slice() : new Int32Array(this.order.queueCount).fill(-1);
    for (let other = 0; other < readers.length; other++)
      if (readers[other] >= 0 && this.order.isBefore(readers[other], index)) readers[other] = -1;
    readers[queue] = index;
    return fate(old.writer, old.content, readers);
  }

  private write(
    command: Command,
    operand: Operand,
    npu: number,
    index: number,
    where: string,
    pieces: readonly Written[],
  ): void {
    if (this.isWeights(operand)) {
      this.findings.add("protected", where, `it writes into the weights at ${extentOf(operand).low}`, index);
      return;
    }
    const memory = this.memoryOf(operand, npu);
    const queue = this.order.queues[index];
    const inPlace = worksInPlace(command) && readsOf(command).some((read) => isSameView(read.operand, operand));
    for (const { part, content } of pieces) {
      const made = fate(index, content);
      const mark = this.stamp++;
      forEachRun(runsOf(part), (low, high) =>
        memory.update(low, high, (old) => {
          if (old === undefined || old.mark === mark) return made;
          old.mark = mark;
          if (old.writer === index && old.content !== content)
            this.findings.add("race", where, "it writes the same bytes twice", index);
          this.mustFollow(old.writer, index, where, operand, "overwrites what", "writes");
          if (!old.readers) return made;
          if (old.readers[queue] === index && !inPlace)
            this.findings.add("race", where, "it overwrites what it reads", index);
          for (const reader of old.readers) this.mustFollow(reader, index, where, operand, "overwrites what", "reads");
          return made;
        }),
      );
    }
  }

  private mustFollow(
    earlier: number,
    index: number,
    where: string,
    { space }: Operand,
    does: string,
    did: string,
  ): void {
    if (this.order.isBefore(earlier, index)) return;
    const says = `it ${does} ${nameOf(this.entry, earlier)} ${did} in ${space}, and nothing orders the two`;
    this.findings.add("race", where, says, index);
  }

  /** The bytes of a constant operand, put together where it was loaded in pieces. */
  private constantOf(operand: Operand, { contents, pieces }: Seen): Constant | undefined {
    if (!this.options.readsWeights || pieces.length === 0) return undefined;
    for (const content of contents) if (content.kind !== "weights") return undefined;
    const { weights } = this.program;
    const { low, high } = extentOf(operand);
    const { delta } = pieces[0];
    if (pieces.every((piece) => piece.delta === delta)) {
      const from = operand.address + delta;
      if (low + delta < 0 || high + delta > weights.byteLength) return undefined;
      return { bytes: weights, offset: from, key: String(from) };
    }
    const bytes = new Uint8Array(high - low);
    for (const piece of pieces)
      bytes.set(weights.subarray(piece.low + piece.delta, piece.high + piece.delta), piece.low - low);
    return { bytes, offset: operand.address - low };
  }

  private valueOf(operand: Operand, seen: Seen): Value {
    const [least, most] = rangeOf(operand.dtype);
    const constant = this.constantOf(operand, seen);
    let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const content of seen.contents) {
      const known = content.kind === "codes" && content.dtype === operand.dtype;
      low = Math.min(low, known ? Math.max(content.low, least) : least);
      high = Math.max(high, known ? Math.min(content.high, most) : most);
    }
    const range = low <= high ? { low, high } : { low: least, high: most };
    return constant === undefined ? range : { ...range, constant };
  }

  /** What the command's results hold; ranges are followed only where the command is formed well. */
  private follow(command: Command, index: number, seen: ReadonlyMap<string, Seen>, wellFormed: boolean): Follow {
    if (!wellFormed || command.kind === "cpu") return (operand) => [{ part: operand, content: anything(operand) }];
    const values = new Map<string, Value>();
    for (const { role, operand } of readsOf(command)) {
      const found = seen.get(role);
      if (found) values.set(role, this.valueOf(operand, found));
    }
    const value = (role: string): Value => values.get(role) ?? bug(`${command.kind} has no operand ${role}`);
    const { readsWeights } = this.options;
    const affords = (count: number) => this.constants.spend(count);
    const known = { value, memo: this.memo, readsWeights, affords };
    const outcome = followRanges(command, known, this.target);
    this.options.onRanges(command, index, outcome);
    return (operand) => {
      const copied = copiedContent(command, seen);
      if (copied) return copied;
      const { low, high } = outcome.result;
      return [{ part: operand, content: { kind: "codes", dtype: operand.dtype, low, high } }];
    };
  }

  /** When all has ended, the outputs are there. */
  private finish(): void {
    for (const port of this.entry.outputs) {
      const { low, high } = extentOf(contiguous(port));
      if (!this.isInDram(low, high)) continue;
      let missing = 0;
      this.dram.update(low, high, (old, from, to) => {
        if (old === undefined) missing += to - from;
        return old;
      });
      if (missing > 0) this.findings.add("unwritten", port.name, `${missing} bytes of the output are never written`);
    }
  }
}

type Follow = (operand: Operand) => readonly Written[];

const WEIGHTS: Content = { kind: "weights", delta: 0 };

function anything({ dtype }: Operand): Content {
  const [low, high] = rangeOf(dtype);
  return { kind: "codes", dtype, low, high };
}

function addPiece(pieces: Seen["pieces"], low: number, high: number, delta: number): void {
  const last = pieces[pieces.length - 1];
  if (last && last.delta === delta && last.high === low) last.high = high;
  else pieces.push({ low, high, delta });
}
