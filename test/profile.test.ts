import { describe, expect, test } from "vitest";
import { Network } from "../bench/backend/builder.ts";
import { profileTable } from "../src/cli/profile-table.ts";
import { LIMITS } from "../src/emulate/limits.ts";
import { timelineOf, timeProgram } from "../src/emulate/timing.ts";
import { whatIfsOf } from "../src/emulate/what-if.ts";
import { seededRandom } from "../src/ir/random.ts";
import { profileProgram } from "../src/profile.ts";
import { schedule } from "../src/schedule/schedule.ts";
import { loadTarget } from "../src/target/load.ts";
import { drawFrom } from "./emulate/cases.ts";
import { randomGraph } from "./emulate/random-graph.ts";

const ai4 = loadTarget("ai4");

/** A stem, two wide convolutions, a softmax over all that comes out. */
function network() {
  const net = new Network("profiled");
  const x = net.conv(net.input("x", [1, 3, 96, 96]), 64, 3, { stride: 2 });
  const y = net.conv(net.conv(x, 96, 3), 96, 3, { stride: 2 });
  return net.finish([net.softmax(net.reshape(y, [96, 24 * 24]))]);
}

const { program } = schedule(network(), ai4);
const profiled = profileProgram(program, ai4);

describe("a profile", () => {
  test("gives every cycle of the run to one layer and one limit, on any program", () => {
    for (let seed = 0; seed < 20; seed++) {
      const draw = drawFrom(seededRandom(`profile ${seed}`));
      const target = loadTarget("ai4", { set: [draw.pick(["sram=48KiB", "sram=32MiB"]), draw.pick(["dram.GBps=20"])] });
      const random = schedule(randomGraph(draw, draw.int(2, 14)).graph, target, { refined: seed % 8 === 0 }).program;
      const { cycles, layers, limits } = profileProgram(random, target);
      const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);
      expect(cycles).toBe(timeProgram(random, target).cycles);
      expect(sum(layers.map((layer) => layer.cycles))).toBeCloseTo(cycles, 5);
      expect(sum(Object.values(limits))).toBeCloseTo(cycles, 5);
      for (const layer of layers) {
        expect(layer.utilization).toBeGreaterThanOrEqual(0);
        expect(layer.utilization).toBeLessThanOrEqual(1);
        for (const limit of LIMITS) expect(layer.limits[limit]).toBeGreaterThanOrEqual(0);
      }
      const timing = timeProgram(random, target);
      expect(sum(layers.map(({ macs }) => macs))).toBe(timing.macs);
      expect(sum(layers.map(({ dramBytes }) => dramBytes))).toBe(timing.dramBusBytes);
    }
  });

  test("says what bounds a layer and what would help it", () => {
    const [first] = profiled.layers;
    expect(first.name).toMatch(/softmax/);
    expect(first.boundBy).toBe("vector");
    expect(first.help?.what).toBe("twice the vector and pooling lanes");
    const wide = profiled.layers.find(({ name, macs }) => name.includes("conv") && macs > 1e8);
    expect(wide?.boundBy).toBe("array");
    expect(wide?.utilization).toBeGreaterThan(0.5);
  });

  test("predicts what a better chip gains as timing it says", () => {
    const target = loadTarget("ai4", { set: ["dram.GBps=10", "sram=64KiB"] });
    const starved = schedule(network(), target, { refined: false }).program;
    const { whatIf, cycles } = profileProgram(starved, target);
    const twice = whatIf.find(({ what }) => what === "twice the DRAM bandwidth");
    const faster = loadTarget("ai4", { set: ["dram.GBps=20", "sram=64KiB", "dma.bytesPerCycle=512"] });
    expect(twice?.cycles).toBe(timeProgram(starved, faster).cycles);
    expect(twice?.gain).toBeCloseTo(1 - (twice?.cycles ?? 0) / cycles, 12);
    for (const [at, { gain }] of whatIf.entries()) expect(gain).toBeLessThanOrEqual(whatIf[at - 1]?.gain ?? 1);
  });

  test("of one layer helped alone lies between nothing and all", () => {
    const timeline = timelineOf(program, ai4);
    const whatIfs = whatIfsOf(program, timeline, ai4);
    for (const { help } of profiled.layers) {
      if (help === undefined) continue;
      const all = whatIfs.program.find(({ what }) => what === help.what);
      expect(help.gain).toBeGreaterThan(0);
      expect(help.gain).toBeLessThanOrEqual((all?.gain ?? 0) + 1e-12);
    }
  });
});

describe("what if", () => {
  test("re-times the same program, and says when it has to be scheduled again", () => {
    const set = ["dram.GBps=448"];
    const fast = profileProgram(program, ai4, { set });
    expect(fast.cycles).toBe(timeProgram(program, loadTarget("ai4", { set })).cycles);
    expect(fast.before?.cycles).toBe(profiled.cycles);
    expect(fast.rescheduling).toEqual([]);
    expect(profileProgram(program, ai4, { set: ["sram=16KiB"] }).rescheduling.join()).toMatch(
      /bytes of SRAM, there are 16384/,
    );
    expect(profileProgram(program, ai4, { set: ["array.rows=48"] }).rescheduling.join()).toMatch(
      /another array or SRAM/,
    );
    expect(profileProgram(program, ai4, { set: ["round=tosa-double"] }).rescheduling.join()).toMatch(/rounds as/);
    expect(() => profileProgram(program, ai4, { set: ["dram=fast"] })).toThrow(/not a number/);
  });
});

describe("the table", () => {
  const plain = (columns: number, top = 3) => profileTable(profiled, top, columns, (_, text) => text);

  test.each([80, 120, 160])("fits into %i columns", (columns) => {
    for (const line of plain(columns).split("\n")) expect(line.length).toBeLessThanOrEqual(columns);
  });

  test("shows so many layers and sums up the rest", () => {
    const lines = plain(160).split("\n");
    const head = lines.findIndex((line) => line.startsWith("layer"));
    expect(lines[head]).toMatch(/cycles +array +bound by +would help$/);
    expect(lines[head + 1]).toMatch(
      /softmax.*█ +\d\d\.\d % .*vector +twice the vector and pooling lanes \(−[\d.]+ %\)$/,
    );
    expect(lines[head + 4]).toMatch(/^\d+ more/);
    expect(plain(80)).not.toContain("would help");
  });

  test("keeps hostile names from the terminal, and shortens what nodes share", () => {
    const named = (name: string) => ({ ...profiled, layers: [{ ...profiled.layers[0], name }] });
    const text = (name: string, columns = 160) => profileTable(named(name), 1, columns, (_, part) => part);
    expect(text("evil\u001b[31m")).not.toContain("\u001b");
    expect(text("/block/conv/Conv + /block/relu/Relu")).toContain("/block/{conv/Conv + relu/Relu}");
    expect(text("conv1 + relu1")).toContain("conv1 + relu1");
    expect(text(`/a/${"x".repeat(300)}/end`)).toMatch(/\n…x+\/end /);
    const block = "/net/features/block/";
    expect(text(`${block}bn/BatchNormalization + ${block}conv/Conv + ${block}relu/Relu`, 80)).toMatch(
      /\n\/net\/features\/block\/conv \+2 /,
    );
    expect(text(`${block}of/the/inner/Add + ${block}of/the/inner/relu/Relu`, 80)).toMatch(/\n….*\/inner\/Add \+1 /);
  });
});
