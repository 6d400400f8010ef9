/** The memory plan: what lives at once lies apart, where it may, and every access is to something that lives. */
import type { Entry, EntryPlan, Operand, PlannedBuffer, Program } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import type { Findings } from "./fault.ts";
import { extentOf } from "./operand.ts";

const place = ({ space, npu }: { space: string; npu: number }) => (space === "dram" ? "dram" : `sram ${npu}`);

/** The buffers of one memory that live now, by address. */
class Living {
  private readonly buffers: PlannedBuffer[] = [];

  private find(address: number): number {
    let [low, high] = [0, this.buffers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.buffers[middle].address <= address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Returns the buffer that it overlaps, if any. */
  add(buffer: PlannedBuffer): PlannedBuffer | undefined {
    const at = this.find(buffer.address);
    const [before, after] = [this.buffers[at - 1], this.buffers[at]];
    this.buffers.splice(at, 0, buffer);
    if (before && before.address + before.bytes > buffer.address) return before;
    return after && buffer.address + buffer.bytes > after.address ? after : undefined;
  }

  remove(buffer: PlannedBuffer): void {
    const at = this.buffers.indexOf(buffer, Math.max(0, this.find(buffer.address) - 1));
    this.buffers.splice(at < 0 ? this.buffers.indexOf(buffer) : at, 1);
  }

  /** Whether [low, high) lies within one of them. */
  holds(low: number, high: number): boolean {
    const buffer = this.buffers[this.find(low) - 1];
    return buffer !== undefined && high <= buffer.address + buffer.bytes;
  }
}

/** Follows the plan of an entry from command to command. */
export class PlanWalk {
  private readonly living = new Map<string, Living>();
  private readonly born = new Map<number, PlannedBuffer[]>();
  private readonly dying = new Map<number, PlannedBuffer[]>();
  private readonly findings: Findings;

  constructor(entry: Entry, plan: EntryPlan | undefined, program: Program, target: Target, findings: Findings) {
    this.findings = findings;
    if (plan === undefined) {
      findings.add("plan", entry.name, "the entry has no memory plan");
      return;
    }
    for (const buffer of plan.buffers) {
      if (this.checkBuffer(buffer, entry, plan, program, target)) {
        this.born.set(buffer.first, [...(this.born.get(buffer.first) ?? []), buffer]);
        this.dying.set(buffer.last, [...(this.dying.get(buffer.last) ?? []), buffer]);
      }
    }
    // The lower bound counts whole lines, the peak ends with the last byte.
    if (plan.sramLowerBoundBytes >= plan.sramPeakBytes + target.sram.alignmentBytes)
      findings.add("plan", entry.name, `a peak of ${plan.sramPeakBytes} bytes is below its own lower bound`);
  }

  private checkBuffer(buffer: PlannedBuffer, entry: Entry, plan: EntryPlan, program: Program, target: Target): boolean {
    const { name, space, npu, address, bytes, first, last } = buffer;
    const says = (text: string) => this.findings.add("plan", name, text);
    const limit = space === "sram" ? program.sramBytes : program.dramBytes;
    const lives = Number.isInteger(first) && first >= 0 && first <= last && last < entry.commands.length;
    if (!lives) says(`it lives from command ${first} to ${last} of ${entry.commands.length}`);
    if (npu >= program.npus) says(`there is no NPU ${npu}`);
    if (!(address >= 0 && bytes > 0 && address + bytes <= limit))
      this.findings.add("bounds", name, `the buffer reaches from byte ${address} to ${address + bytes} of ${limit}`);
    if (space === "sram" && address % target.sram.alignmentBytes !== 0)
      this.findings.add(
        "alignment",
        name,
        `the buffer at ${address} is not aligned to ${target.sram.alignmentBytes} bytes`,
      );
    if (space === "sram" && address + bytes > plan.sramPeakBytes)
      says(`it ends at byte ${address + bytes}, the plan's peak is ${plan.sramPeakBytes}`);
    return lives && bytes > 0;
  }

  /** Before the accesses of a command: what begins to live with it. */
  begin(command: number): void {
    for (const buffer of this.born.get(command) ?? []) {
      const living = this.living.get(place(buffer)) ?? new Living();
      this.living.set(place(buffer), living);
      const other = living.add(buffer);
      if (other) {
        const says = `it overlaps ${other.name} at byte ${Math.max(other.address, buffer.address)} of ${place(buffer)}`;
        this.findings.add("plan", buffer.name, says, command);
      }
    }
  }

  /** SRAM that a command touches must be planned. */
  access(operand: Operand, npu: number, command: number, where: string): void {
    if (operand.space !== "sram") return;
    const { low, high } = extentOf(operand);
    if (this.living.get(place({ space: "sram", npu }))?.holds(low, high)) return;
    this.findings.add("plan", where, `bytes ${low} to ${high} of NPU ${npu} belong to no live buffer`, command);
  }

  end(command: number): void {
    for (const buffer of this.dying.get(command) ?? []) this.living.get(place(buffer))?.remove(buffer);
  }
}

/** DRAM that outlives a run: inside, aligned, apart from the weights and from each other. */
export function checkPorts(entry: Entry, program: Program, findings: Findings, bytesOf: (port: Sized) => number): void {
  const owned = [
    ...program.states.map((state) => ({ name: state.input, port: state as Sized })),
    ...[...entry.inputs, ...entry.outputs].map((port) => ({ name: port.name, port: port as Sized })),
  ];
  const spans = owned.map(({ name, port }) => ({ name, low: port.address, high: port.address + bytesOf(port) }));
  for (const { name, low, high } of spans) {
    if (!(low >= 0 && high <= program.dramBytes))
      findings.add("bounds", name, `it lies from byte ${low} to ${high} of ${program.dramBytes}`);
    if (low < program.weightBytes) findings.add("protected", name, "it lies among the weights");
  }
  spans.sort((a, b) => a.low - b.low || a.high - b.high);
  spans.forEach((span, at) => {
    const before = spans[at - 1];
    // A state's output is the state's own memory.
    const same = before && before.low === span.low && before.high === span.high;
    if (before && before.high > span.low && !same) findings.add("plan", span.name, `it overlaps ${before.name}`);
  });
  for (const { input, init, ...state } of program.states) {
    if (init >= 0 && init + bytesOf(state) <= program.weightBytes) continue;
    findings.add("bounds", input, "its first codes lie outside the weights");
  }
}

type Sized = Pick<Program["states"][number], "dtype" | "shape" | "address">;
