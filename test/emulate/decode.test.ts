import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeProgram } from "../../src/emulate/decode.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { CompileError } from "../../src/error.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import type { Sections } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import { drawFrom } from "./cases.ts";
import { randomGraph } from "./random-graph.ts";

const target = loadTarget("ai4", { set: ["sram=64KiB"] });

function program(seed: number) {
  const draw = drawFrom(seededRandom(`decode ${seed}`));
  return schedule(randomGraph(draw, draw.int(3, 14)).graph, target, { refined: seed % 8 === 0 }).program;
}

/** True where the bytes were taken for a program, false where they were refused as the user's error. */
function survives(sections: Sections): boolean {
  try {
    createMachine(sections, { maxDramBytes: 2 ** 24 });
    return true;
  } catch (error) {
    if (error instanceof CompileError && error.code === "trust/bad-program") return false;
    throw error;
  }
}

describe("a program's bytes", () => {
  test("decode to what was encoded", () => {
    for (let seed = 0; seed < 25; seed++) {
      const made = program(seed);
      const sections = encodeProgram(made);
      expect(decodeProgram(sections)).toEqual(made);
      expect(encodeProgram(decodeProgram(sections))).toEqual(sections);
    }
  });

  test("are the same for the same graph", () => {
    expect(encodeProgram(program(3))).toEqual(encodeProgram(program(3)));
  });

  test("cut short anywhere are refused", () => {
    const sections = encodeProgram(program(1));
    for (let length = 0; length < sections.program.length; length += 37) {
      expect(survives({ ...sections, program: sections.program.slice(0, length) })).toBe(false);
    }
    for (const length of [0, 5, sections.plan.length - 1]) {
      expect(survives({ ...sections, plan: sections.plan.slice(0, length) })).toBe(false);
    }
    expect(survives({ ...sections, weights: sections.weights.slice(1) })).toBe(false);
    expect(survives({ ...sections, program: Uint8Array.of(...sections.program, 0) })).toBe(false);
  });

  test("with any bytes changed are refused or executable, never a crash", () => {
    const sections = encodeProgram(program(2));
    const { length } = sections.program;
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(length - 1), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const bytes = sections.program.slice();
          for (const [at, byte] of changes) bytes[at] = byte;
          if (!survives({ ...sections, program: bytes })) refused++;
        },
      ),
      { numRuns: 1500, seed: 4 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  test("that claim absurd sizes do not take the memory", () => {
    const made = program(1);
    expect(survives(encodeProgram({ ...made, dramBytes: 2 ** 45 }))).toBe(false);
    expect(survives(encodeProgram({ ...made, sramBytes: 2 ** 45 }))).toBe(false);
    const [entry] = made.entries;
    const command = entry.commands.find(({ kind }) => kind === "dma-read");
    if (command?.kind !== "dma-read") throw new Error("bug: no load");
    const beyond = { ...command, to: { ...command.to, address: made.sramBytes } };
    const commands = entry.commands.map((one) => (one === command ? beyond : one));
    expect(survives(encodeProgram({ ...made, entries: [{ ...entry, commands }] }))).toBe(false);
  });
});
