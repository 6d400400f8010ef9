/**
 * The program checker: reads a Program as a stranger and says what is wrong with it, or certifies what it proved. It shares
 * no code with the scheduler that wrote the Program, nor with the machine that runs it; only their types. docs/checker.md says
 * what is proven and under which assumptions.
 */
import type { Command, Program } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { type Fault, Findings, layerOf } from "./fault.ts";
import { bitsOf, hull, type Interval } from "./interval.ts";
import { isProven, type Need, type Outcome } from "./ranges.ts";
import { Walk } from "./walk.ts";

export interface CheckOptions {
  /**
   * `weights`: ranges are proven from the bytes of the weights section. `types`: from the types alone, for programs whose weights
   * are made on demand; bounds are then wider, and of products alone: biases and post stages are not looked at.
   */
  readonly ranges?: "weights" | "types";
}

/** A proven bound on an accumulator, over all commands of a layer. */
export interface RangeCertificate {
  readonly entry: string;
  /** In the teacher's names. */
  readonly layer: string;
  readonly kind: Command["kind"];
  /** `accumulator`, `high bytes`, `requantized`, … */
  readonly what: string;
  readonly min: number;
  readonly max: number;
  /** Of the smallest register that holds both. */
  readonly bits: number;
  readonly limitBits: number;
}

export interface Verdict {
  /** Empty: the program is safe to run on the target. */
  readonly faults: readonly Fault[];
  readonly ranges: readonly RangeCertificate[];
  readonly commands: number;
  readonly provenFrom: "weights" | "types";
}

/** Bounds by layer and what they bound. */
class Certificates {
  private readonly found = new Map<string, { command: Command; layer: string; need: Need; range: Interval }>();
  private readonly entry: string;

  constructor(entry: string) {
    this.entry = entry;
  }

  add(command: Command, index: number, need: Need): void {
    const layer = layerOf(command, index);
    const key = JSON.stringify([command.origin, command.kind, need.what, need.limitBits]);
    const before = this.found.get(key);
    const range = before ? hull(before.range, need.range) : need.range;
    this.found.set(key, { command, layer, need, range });
  }

  list(): RangeCertificate[] {
    return [...this.found.values()].map(({ command, layer, need, range }) => ({
      entry: this.entry,
      layer,
      kind: command.kind,
      what: need.what,
      min: range.low,
      max: range.high,
      bits: bitsOf(range),
      limitBits: need.limitBits,
    }));
  }
}

function followOutcome(command: Command, index: number, outcome: Outcome, findings: Findings): void {
  const where = layerOf(command, index);
  for (const need of outcome.needs) {
    if (isProven(need)) continue;
    const { what, range, limitBits } = need;
    const reach = `reaches from ${range.low} to ${range.high}`;
    findings.add("range", where, `${what} ${reach}: ${bitsOf(range)} bits, the limit is ${limitBits}`, index);
  }
  for (const doubt of outcome.doubts) findings.add("range", where, doubt, index);
}

/** All entries of a program on a target. Never throws for what a program says: whatever is wrong is a fault. */
export function checkProgram(program: Program, target: Target, options: CheckOptions = {}): Verdict {
  const provenFrom = options.ranges ?? "weights";
  const faults: Fault[] = [...checkFrame(program, target)];
  const ranges: RangeCertificate[] = [];
  let commands = 0;
  if (faults.length > 0) return { faults, ranges, commands, provenFrom };
  for (const entry of program.entries) {
    const findings = new Findings(entry.name);
    const certificates = new Certificates(entry.name);
    const onRanges = (command: Command, index: number, outcome: Outcome) => {
      for (const need of outcome.needs) certificates.add(command, index, need);
      followOutcome(command, index, outcome, findings);
    };
    new Walk(entry, program, target, findings, { readsWeights: provenFrom === "weights", onRanges }).run();
    faults.push(...findings.faults);
    ranges.push(...certificates.list());
    commands += entry.commands.length;
  }
  return { faults, ranges, commands, provenFrom };
}

/** What must hold before anything else makes sense. */
function checkFrame(program: Program, target: Target): readonly Fault[] {
  const findings = new Findings("");
  const at = program.name || "program";
  const { npus, sramBytes, dramBytes, weightBytes, entries, plan } = program;
  if (program.target !== target.name)
    findings.add("form", at, `it was made for ${program.target}, this is ${target.name}`);
  if (!(Number.isInteger(npus) && npus >= 1 && npus <= target.npus))
    findings.add("bounds", at, `it wants ${npus} NPUs, ${target.name} has ${target.npus}`);
  // Where SRAM keeps operands only, results pass through a buffer of their own, as large again.
  const sram = target.sram.bytes * (target.sram.keeps === "operands" ? 2 : 1);
  if (sramBytes > sram) findings.add("bounds", at, `it wants ${sramBytes} bytes of SRAM, ${target.name} has ${sram}`);
  if (dramBytes > target.dram.bytes)
    findings.add("bounds", at, `it wants ${dramBytes} bytes of DRAM, ${target.name} has ${target.dram.bytes}`);
  if (weightBytes > dramBytes) findings.add("bounds", at, `${weightBytes} bytes of weights, ${dramBytes} of DRAM`);
  if (new Set(entries.map(({ name }) => name)).size !== entries.length)
    findings.add("form", at, "two entries have one name");
  entries.forEach(({ name }, index) => {
    if (plan[index]?.name !== name) findings.add("plan", name, "the entry has no memory plan");
  });
  return findings.faults;
}

/** The verdict in a few figures, for reports and evidence. */
export interface VerdictSummary {
  readonly commands: number;
  /** Accumulators with a proven bound. */
  readonly proven: number;
  /** The bound that leaves the fewest bits. */
  readonly tightest?: Pick<RangeCertificate, "layer" | "what" | "bits" | "limitBits">;
}

export function summaryOf({ commands, ranges }: Verdict): VerdictSummary {
  let tightest: RangeCertificate | undefined;
  for (const one of ranges)
    if (!tightest || one.limitBits - one.bits < tightest.limitBits - tightest.bits) tightest = one;
  if (!tightest) return { commands, proven: 0 };
  const { layer, what, bits, limitBits } = tightest;
  return { commands, proven: ranges.length, tightest: { layer, what, bits, limitBits } };
}
