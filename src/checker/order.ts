/**
 * What has ended when a command begins, by vector clocks: an engine executes its own commands one after the other, and a
 * command begins after those that it waits for. Nothing else orders anything.
 */
import type { Command, Engine, Entry } from "../schedule/program.ts";
import { type Findings, layerOf } from "./fault.ts";

const OWN: readonly Engine[] = ["array", "vector", "dma-in", "dma-out"];

export interface Order {
  /** The queue of every command. */
  readonly queues: Uint16Array;
  readonly queueCount: number;
  /** Whether `earlier` has ended when `later` begins. The host (−1) is earlier than all. */
  isBefore(earlier: number, later: number): boolean;
}

/** Every NPU has four queues, and the host is one more. */
function queueOf({ engine, npu }: Command, npus: number): number {
  return engine === "cpu" ? npus * OWN.length : npu * OWN.length + Math.max(0, OWN.indexOf(engine));
}

/** Queues and NPUs are those that the form check has let pass. */
export function orderOf(entry: Entry, npus: number, findings: Findings): Order {
  const { commands } = entry;
  const queueCount = npus * OWN.length + 1;
  const queues = new Uint16Array(commands.length);
  const clocks = new Int32Array(commands.length * queueCount).fill(-1);
  const last = new Int32Array(queueCount).fill(-1);
  const join = (into: number, from: number) => {
    for (let queue = 0; queue < queueCount; queue++) {
      const value = clocks[from * queueCount + queue];
      if (value > clocks[into * queueCount + queue]) clocks[into * queueCount + queue] = value;
    }
  };
  commands.forEach((command, index) => {
    const queue = queueOf(command, npus);
    queues[index] = queue;
    if (last[queue] >= 0) join(index, last[queue]);
    for (const wait of command.waits) {
      if (Number.isInteger(wait) && wait >= 0 && wait < index) join(index, wait);
      else findings.add("order", layerOf(command, index), `it waits for command ${wait}, which is not earlier`, index);
    }
    clocks[index * queueCount + queue] = index;
    last[queue] = index;
  });
  const isBefore = (earlier: number, later: number): boolean =>
    earlier < 0 || clocks[later * queueCount + queues[earlier]] >= earlier;
  checkStop(entry, last, isBefore, findings);
  return { queues, queueCount, isBefore };
}

/** Whoever is told of the end must find everything done. */
function checkStop({ commands }: Entry, last: Int32Array, isBefore: Order["isBefore"], findings: Findings): void {
  const end = commands.length - 1;
  if (end < 0 || commands[end].kind !== "stop") {
    findings.add("order", "the end", "the last command is not a stop");
    return;
  }
  const early = commands.findIndex(({ kind }) => kind === "stop");
  if (early < end) findings.add("order", "the end", "a stop is followed by other commands", early);
  for (const command of last) {
    if (isBefore(command, end)) continue;
    findings.add("order", layerOf(commands[command], command), "the stop does not wait for it", command);
  }
}
