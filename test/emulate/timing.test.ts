import { describe, expect, test } from "vitest";
import { Network } from "../../bench/backend/builder.ts";
import { boundOf } from "../../src/checker/bound.ts";
import { convMappings } from "../../src/emulate/cycles.ts";
import { energyOf } from "../../src/emulate/energy.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import type { Operand } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import { drawFrom } from "./cases.ts";
import { randomGraph } from "./random-graph.ts";

const ai4 = loadTarget("ai4");

function operand(shape: readonly number[]): Operand {
  return { space: "sram", address: 0, dtype: "int8", shape, strides: shape.map(() => 1) };
}

/** A convolution without addresses. */
function conv(x: readonly number[], w: readonly number[], y: readonly number[], stride = 1, groups = 1) {
  const anywhere = operand([1]);
  const numbers = { wide: false, yZero: 0, yMin: 0, yMax: 0 };
  const post = { multiplier: anywhere, shift: anywhere, round: "tosa-single" as const, ...numbers };
  const strides = [stride, stride] as const;
  return { x: operand(x), w: operand(w), y: operand(y), strides, dilations: [1, 1] as const, groups, post };
}

describe("the array's first-order model", () => {
  test("fused pixels by channels, the longer of reduction and drain", () => {
    // ⌈3136/96⌉ = 33 pixel tiles; 64 channels in one tile, reduction 576.
    expect(convMappings(conv([1, 64, 56, 56], [64, 64, 3, 3], [1, 64, 56, 56]), ai4)[0].cycles).toBe(33 * 576);
    // A reduction of 16 is shorter than the drain of 96 columns.
    expect(convMappings(conv([1, 16, 8, 12], [96, 16, 1, 1], [1, 96, 8, 12]), ai4)[0].cycles).toBe(96);
    // The patches of a vision transformer: 16 pixels apart, 6 × the width of the port.
    expect(convMappings(conv([1, 3, 224, 224], [96, 3, 16, 16], [1, 96, 14, 14], 16), ai4)[0].cycles).toBe(3 * 768 * 6);
  });

  test("a depthwise layer has three legal mappings", () => {
    const layer = conv([1, 96, 112, 112], [96, 1, 3, 3], [1, 96, 56, 56], 2, 96);
    const found = new Map(convMappings(layer, ai4).map(({ mapping, cycles }) => [mapping, cycles]));
    expect(found.get("column")).toBe(33 * 96 * 9);
    expect(found.get("vector")).toBe((96 * 3136 * 9) / 128);
    expect(found.get("toeplitz")).toBeLessThan(33 * 96 * 9);
  });
});

function timed(graph: Graph, set: readonly string[] = [], refined = true) {
  const target = loadTarget("ai4", { set });
  const { program, stats } = schedule(graph, target, { refined });
  return { program, stats, target, timing: timeProgram(program, target), bound: boundOf(graph, target) };
}

/** Residual blocks, some of them separable. */
function network(blocks = 4): Graph {
  const net = new Network("timing");
  let x = net.conv(net.input("x", [1, 3, 64, 64]), 32, 3, { stride: 2 });
  for (let block = 0; block < blocks; block++) {
    const wide = net.conv(x, 96, 1);
    const deep = net.conv(wide, 96, 3, { groups: block % 2 === 0 ? 96 : 1 });
    x = net.sum(net.conv(deep, 32, 1), x);
  }
  return net.finish([net.linear(net.reshape(net.mean(x), [1, 32]), 10)]);
}

describe("timing of a program", () => {
  test("keeps engines and waits in order, and is the same every time", () => {
    const { program, timing, target } = timed(network());
    const { commands } = program.entries[0];
    const free = new Map<string, number>();
    commands.forEach((command, id) => {
      const { start, end } = timing.commands[id];
      for (const wait of command.waits) expect(timing.commands[wait].end).toBeLessThanOrEqual(start);
      expect(start).toBeGreaterThanOrEqual(free.get(command.engine) ?? 0);
      expect(end).toBeGreaterThanOrEqual(start);
      free.set(command.engine, start);
    });
    expect(timeProgram(program, target)).toEqual(timing);
    expect(timing.cycles).toBe(Math.max(...timing.commands.map(({ end }) => end)));
  });

  test("no schedule beats the bound, on random graphs and memories", () => {
    for (let seed = 0; seed < 60; seed++) {
      const draw = drawFrom(seededRandom(`bound ${seed}`));
      const { graph } = randomGraph(draw, draw.int(2, 14));
      const set = [draw.pick(["sram=32MiB", "sram=40KiB"]), draw.pick(["dram.GBps=20", "dram.GBps=224"])];
      const { timing, bound } = timed(graph, set, seed % 8 === 0);
      expect(bound.floorCycles).toBeLessThanOrEqual(timing.cycles);
      expect(bound.rooflineCycles).toBeLessThanOrEqual(bound.floorCycles);
      expect(timing.dramBytes).toBeGreaterThanOrEqual(0);
    }
  });

  test("a better chip is never slower", () => {
    const graph = network();
    const base = timed(graph, ["sram=256KiB"]);
    for (const better of ["dram.GBps=448", "dma.latencyCycles=0", "vector.lanes=256", "dram.sustained=1"]) {
      const { program } = base;
      const target = loadTarget("ai4", { set: ["sram=256KiB", better] });
      expect(timeProgram(program, target).cycles).toBeLessThanOrEqual(base.timing.cycles);
    }
    const one = network(1);
    expect(timed(one, ["sram=1MiB"]).timing.dramBytes).toBeLessThan(timed(one, ["sram=64KiB"]).timing.dramBytes);
  });

  test("the schedule comes near the bound where the work is large enough", () => {
    const net = new Network("deep");
    let x = net.conv(net.input("x", [1, 3, 128, 128]), 64, 3, { stride: 2 });
    for (let block = 0; block < 6; block++) x = net.sum(net.conv(net.conv(x, 64, 3), 64, 3), x);
    const { timing, bound } = timed(net.finish([net.pool(x, "MaxPool", 2, 2, 0)]));
    expect(bound.floorCycles / timing.cycles).toBeGreaterThan(0.9);
  });

  test("energy grows with the work and has a range", () => {
    // One block: with so little memory a schedule is sought long.
    const small = timed(network(1));
    const { mJ, parts } = energyOf(small.program, small.timing, small.target);
    expect(mJ.low).toBeLessThan(mJ.mid);
    expect(mJ.mid).toBeLessThan(mJ.high);
    const { macsInt16, macsInt4, ...used } = parts;
    expect([macsInt16.high, macsInt4.high]).toEqual([0, 0]);
    for (const part of Object.values(used)) expect(part.mid).toBeGreaterThan(0);
    const starved = timed(network(1), ["sram=48KiB"]);
    expect(energyOf(starved.program, starved.timing, starved.target).parts.dram.mid).toBeGreaterThan(parts.dram.mid);
  });
});
