/** What the checker says: faults, each of a kind of its own, and certificates. */
import type { Command, Entry } from "../schedule/program.ts";

/** Every kind is caught by a planted one in test/checker. */
export type FaultKind =
  /** An operand leaves its memory, or a command names an NPU that is not there. */
  | "bounds"
  /** An address is not a multiple of what it must be. */
  | "alignment"
  /** Shapes, types or numbers of a command do not go together. */
  | "form"
  /** The engine cannot do that kind of work, or the target has no such mapping. */
  | "engine"
  /** Beyond what the target's address generators count to. */
  | "limit"
  /** A wait that names no earlier command, or commands that the stop does not wait for. */
  | "order"
  /** Bytes are read that nobody has written before. */
  | "unwritten"
  /** Two commands touch the same bytes, one of them writes, and nothing orders them. */
  | "race"
  /** Weights, or bytes beyond the ports of the entry, are written. */
  | "protected"
  /** The memory plan: live buffers overlap, or a command touches bytes of no live buffer. */
  | "plan"
  /** An accumulator or a product that is not proven to stay in its range. */
  | "range";

export interface Fault {
  readonly kind: FaultKind;
  readonly entry: string;
  /** Index of the command; absent where the fault is of the program or its plan. */
  readonly command?: number;
  /** The layer in the teacher's names, or what else is at fault. */
  readonly where: string;
  readonly says: string;
}

/** More than these of one entry say nothing new. */
const MOST = 32;

/** Collects the faults of one entry. */
export class Findings {
  readonly faults: Fault[] = [];
  private readonly entry: string;
  private readonly seen = new Set<string>();

  constructor(entry: string) {
    this.entry = entry;
  }

  get full(): boolean {
    return this.faults.length >= MOST;
  }

  add(kind: FaultKind, where: string, says: string, command?: number): void {
    const key = `${kind} ${command} ${says}`;
    if (this.full || this.seen.has(key)) return;
    this.seen.add(key);
    this.faults.push({ kind, entry: this.entry, ...(command === undefined ? {} : { command }), where, says });
  }
}

/** The teacher's name for what a command is for. */
export function layerOf(command: Command, index: number): string {
  return command.origin[0] ?? `command ${index} (${command.kind})`;
}

/** `command 17 (conv of head/fc)`. */
export function nameOf({ commands }: Entry, index: number): string {
  if (index < 0) return "the host";
  const { kind, origin } = commands[index];
  return `command ${index} (${kind}${origin.length > 0 ? ` of ${origin[0]}` : ""})`;
}
