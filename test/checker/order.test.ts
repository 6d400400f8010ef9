/**
 * Races, against brute force: byte sets of all accesses and every pair of commands, order by search instead of clocks; and
 * against the machine, which is let loose on what the checker calls safe, and on what it does not.
 */
import { describe, expect, test } from "vitest";
import { checkProgram } from "../../src/checker/check.ts";
import type { AnyArray } from "../../src/emulate/machine/memory.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { valuesOf } from "../../src/ir/tensor.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { type Command, type Operand, type Program, STORAGE_BYTES } from "../../src/schedule/program.ts";
import { loadTarget } from "../../src/target/load.ts";
import { drawFrom } from "../emulate/cases.ts";
import { randomGraph } from "../emulate/random-graph.ts";
import { programOf, withCommands } from "./programs.ts";

/** Every operand in a command, wherever it is, with whether it is written. */
function operandsOf(command: Command): { operand: Operand; write: boolean }[] {
  const found: { operand: Operand; write: boolean }[] = [];
  const isOperand = (value: object): value is Operand => "space" in value && "strides" in value;
  const visit = (value: unknown, write: boolean): void => {
    if (typeof value !== "object" || value === null) return;
    if (isOperand(value)) found.push({ operand: value, write });
    else
      for (const [key, inner] of Object.entries(value)) visit(inner, key === "to" || key === "y" || key === "outputs");
  };
  visit(command, false);
  return found;
}

/** Every byte, one by one; SRAM is an NPU's own. */
function bytesOf({ space, address, dtype, shape, strides }: Operand, npu: number): Set<string> {
  let offsets = [0];
  shape.forEach((size, axis) => {
    offsets = offsets.flatMap((at) => Array.from({ length: size }, (_, index) => at + index * strides[axis]));
  });
  const size = STORAGE_BYTES[dtype];
  const bytes = new Set<string>();
  for (const offset of offsets)
    for (let byte = 0; byte < size; byte++)
      bytes.add(`${space === "sram" ? npu : "dram"} ${address + offset * size + byte}`);
  return bytes;
}

interface Touched {
  readonly read: Set<string>;
  readonly written: Set<string>;
}

function touchedBy(command: Command): Touched {
  const [read, written] = [new Set<string>(), new Set<string>()];
  for (const { operand, write } of operandsOf(command)) {
    const npus = (write && command.kind === "dma-read" && command.npus) || [command.npu];
    for (const npu of npus) for (const byte of bytesOf(operand, npu)) (write ? written : read).add(byte);
  }
  return { read, written };
}

function meet(a: Set<string>, b: Set<string>): boolean {
  const [few, many] = a.size < b.size ? [a, b] : [b, a];
  for (const byte of few) if (many.has(byte)) return true;
  return false;
}

/** Pairs (earlier, later) that conflict; they do not depend on the waits. */
function conflictsOf(commands: readonly Command[]): [number, number][] {
  const touched = commands.map(touchedBy);
  const pairs: [number, number][] = [];
  for (let later = 0; later < commands.length; later++) {
    for (let earlier = 0; earlier < later; earlier++) {
      const [a, b] = [touched[earlier], touched[later]];
      if (meet(a.written, b.read) || meet(a.read, b.written) || meet(a.written, b.written))
        pairs.push([earlier, later]);
    }
  }
  return pairs;
}

/** By search backwards over waits and queues, from one command. */
function allBefore(commands: readonly Command[], command: number): Set<number> {
  const seen = new Set<number>();
  const pending = [command];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const { engine, npu, waits } = commands[at];
    const isOwn = (other: Command) => other.engine === engine && (engine === "cpu" || other.npu === npu);
    const own = commands.findLastIndex((other, index) => index < (at as number) && isOwn(other));
    for (const before of own >= 0 ? [...waits, own] : waits) {
      if (seen.has(before)) continue;
      seen.add(before);
      pending.push(before);
    }
  }
  return seen;
}

function hasRace(commands: readonly Command[], conflicts: readonly [number, number][]): boolean {
  const before = new Map<number, Set<number>>();
  return conflicts.some(([earlier, later]) => {
    const known = before.get(later) ?? allBefore(commands, later);
    before.set(later, known);
    return !known.has(earlier);
  });
}

function withoutWait(program: Program, at: number, wait: number): Program {
  return withCommands(program, (commands) =>
    commands.map((command, index) =>
      index === at ? { ...command, waits: command.waits.filter((other) => other !== wait) } : command,
    ),
  );
}

interface Case {
  readonly program: Program;
  readonly feeds: ReadonlyMap<string, AnyArray>;
}

const chip = loadTarget("ai4", { set: ["sram=6KiB"] });

/** Small programs of random graphs; seeds whose graph does not fit are skipped. */
function cases(name: string, count: number, most: number, npus = 1): Case[] {
  const found: Case[] = [];
  for (let seed = 0; found.length < count && seed < 10 * count; seed++) {
    const draw = drawFrom(seededRandom(`${name} ${seed}`));
    const { graph, feeds } = randomGraph(draw, draw.int(2, 7));
    let program: Program;
    try {
      program = programOf(graph, chip, npus, seed % 8 === 0);
    } catch {
      continue;
    }
    if (program.entries[0].commands.length > most || program.npus < npus) continue;
    found.push({ program, feeds: new Map([...feeds[0]].map(([key, tensor]) => [key, valuesOf(tensor) as AnyArray])) });
  }
  return found;
}

const racy = (program: Program) => checkProgram(program, chip).faults.some(({ kind }) => kind === "race");

describe("races", () => {
  test.each([1, 2])("with %s NPUs, a dropped wait is a race just where it is one to brute force", (npus) => {
    let [dropped, races] = [0, 0];
    for (const { program } of cases("races", 14, 70, npus)) {
      const { commands } = program.entries[0];
      const conflicts = conflictsOf(commands);
      expect(hasRace(commands, conflicts)).toBe(false);
      commands.forEach((command, at) => {
        if (command.kind === "stop") return;
        for (const wait of command.waits) {
          const damaged = withoutWait(program, at, wait);
          const wanted = hasRace(damaged.entries[0].commands, conflicts);
          expect(racy(damaged), `command ${at} does not wait for ${wait}`).toBe(wanted);
          dropped++;
          if (wanted) races++;
        }
      });
    }
    expect(dropped).toBeGreaterThan(100);
    expect(races).toBeGreaterThan(60);
  });

  test("whatever gives other bits in another order was called a race", () => {
    let different = 0;
    for (const [number, { program, feeds }] of cases("orders", 16, 60).entries()) {
      const random = seededRandom(`drop ${number}`);
      const { commands } = program.entries[0];
      const waiting = commands.flatMap((command, at) =>
        command.kind === "stop" ? [] : command.waits.map((wait) => [at, wait]),
      );
      const expected = run(program, feeds);
      for (let attempt = 0; attempt < 6 && waiting.length > 0; attempt++) {
        const [at, wait] = waiting[Math.floor(random() * waiting.length)];
        const damaged = withoutWait(program, at, wait);
        const safe = !racy(damaged);
        for (let order = 0; order < 4; order++) {
          const same = run(reordered(damaged, random), feeds) === expected;
          if (safe) expect(same).toBe(true);
          else if (!same) different++;
        }
      }
    }
    expect(different).toBeGreaterThan(5);
  });
});

function run(program: Program, feeds: ReadonlyMap<string, AnyArray>): string {
  const outputs = createMachine(encodeProgram(program)).run("main", feeds);
  return JSON.stringify([...outputs].map(([name, codes]) => [name, Array.from(codes as Int8Array)]));
}

/** Some order that queues and waits allow, now and then a late engine first. */
function reordered(program: Program, random: () => number): Program {
  return withCommands(program, (commands) => {
    const queues = new Map<string, number[]>();
    for (const [at, { engine }] of commands.entries()) queues.set(engine, [...(queues.get(engine) ?? []), at]);
    const done = new Set<number>();
    const order: Command[] = [];
    const eager = [...queues.keys()][Math.floor(random() * queues.size)];
    while (order.length < commands.length) {
      const ready = [...queues].filter(
        ([, [at]]) => at !== undefined && commands[at].waits.every((wait) => done.has(wait)),
      );
      const [, queue] = ready.find(([engine]) => engine === eager) ?? ready[Math.floor(random() * ready.length)];
      const at = queue.shift() as number;
      done.add(at);
      order.push({ ...commands[at], waits: [] });
    }
    return order;
  });
}
