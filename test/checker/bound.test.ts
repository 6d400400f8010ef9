import { describe, expect, test } from "vitest";
import { Network } from "../../bench/backend/builder.ts";
import { layerOf } from "../../src/checker/bound/layer.ts";
import { boundOf, layerCycles, slowestLayer } from "../../src/checker/bound.ts";
import { checkProgram } from "../../src/checker/check.ts";
import { convMappings, engineCycles } from "../../src/emulate/cycles.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import type { CommandBody, ConvCommand, Operand } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { listTargets, loadTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";
import { drawFrom } from "../emulate/cases.ts";
import { randomGraph } from "../emulate/random-graph.ts";

const TARGETS = listTargets();

function operand(shape: readonly number[]): Operand {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  return { space: "sram", address: 0, dtype: "int8", shape, strides };
}

type Conv = Omit<ConvCommand, "npu" | "waits" | "origin">;

/** A layer as one command, whose cost the timing model knows. */
function convBody(
  x: readonly number[],
  w: readonly number[],
  y: readonly number[],
  stride: number,
  groups: number,
): Conv {
  const anywhere = operand([1]);
  const numbers = { wide: false, yZero: 0, yMin: -128, yMax: 127 };
  const post = { multiplier: anywhere, shift: anywhere, round: "tosa-single" as const, ...numbers };
  return {
    kind: "conv",
    engine: "array",
    ...{ x: operand(x), w: operand(w), y: operand(y), xZero: 0, groups, mapping: "dense", block: 1, post },
    strides: [stride, stride],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
  };
}

/** A convolution in a graph of its own, and what the timing model says about it. */
function drawConv(draw: ReturnType<typeof drawFrom>, depthwise: boolean) {
  const net = new Network(`layer ${draw.int(0, 1e9)}`);
  const stride = draw.pick([1, 1, 2, 3]);
  const kernel = draw.pick([1, 3, 5]);
  const inputs = draw.int(1, 130);
  const outputs = depthwise ? inputs : draw.int(1, 400);
  const side = draw.int(kernel, 40);
  const x = net.input("x", [draw.int(1, 3), inputs, side, draw.int(kernel, 60)]);
  const y = net.conv(x, outputs, kernel, { stride, groups: depthwise ? inputs : 1 });
  const body = convBody(
    x.shape,
    [outputs, depthwise ? 1 : inputs, kernel, kernel],
    y.shape,
    stride,
    depthwise ? inputs : 1,
  );
  return { graph: net.finish([y]), body };
}

function cyclesOf(graph: Graph, target: Target) {
  const layer = layerOf(graph.nodes[0], graph);
  if (!layer) throw new Error("no layer");
  return layerCycles(layer, { ...target, issueCycles: 0 });
}

/** The timing model's cost of the layer's channels in the best partition into commands, tried by dynamic programming. */
function cheapest(channels: number, most: number, cost: (channels: number) => number): number {
  const whole = Array.from({ length: Math.min(channels, most) + 1 }, (_, part) => (part === 0 ? 0 : cost(part)));
  const least = [0];
  for (let count = 1; count <= channels; count++) {
    let best = Number.POSITIVE_INFINITY;
    for (let part = 1; part < whole.length && part <= count; part++)
      best = Math.min(best, whole[part] + least[count - part]);
    least.push(best);
  }
  return least[channels];
}

describe("the bound's own model against the timing's", () => {
  test.each(TARGETS)("dense layers on %s: at most what the best cut into commands takes", (name) => {
    // Ports aside: a command reads its operands anew, a layer must read them once.
    const given = loadTarget(name);
    const target = { ...given, sram: { ...given.sram, readBytesPerCycle: 1e9, writeBytesPerCycle: 1e9 } };
    const draw = drawFrom(seededRandom(`dense ${name}`));
    for (let run = 0; run < 40; run++) {
      const { graph, body } = drawConv(draw, false);
      const of = (channels: number) =>
        engineCycles(
          { ...body, w: operand([channels, ...body.w.shape.slice(1)]), y: withChannels(body.y, channels) },
          target,
        );
      const best = cheapest(body.y.shape[1], target.array.columns, of);
      const { array } = cyclesOf(graph, target);
      expect(array).toBeLessThanOrEqual(best);
      // Held weights and fractions of a cycle are all that may lie between.
      if (target.array.weightHold === 1) expect(array).toBeGreaterThanOrEqual(0.995 * best - body.y.shape[1]);
    }
  });

  test.each(TARGETS)("depthwise layers on %s: at most the best mapping", (name) => {
    const target = loadTarget(name);
    const draw = drawFrom(seededRandom(`depthwise ${name}`));
    let share = 0;
    const runs = 30;
    for (let run = 0; run < runs; run++) {
      const { graph, body } = drawConv(draw, true);
      if (body.groups === 1) continue;
      const found = convMappings(body, target);
      const least = Math.min(...found.filter(({ mapping }) => mapping !== "vector").map(({ cycles }) => cycles));
      const { array, vector } = cyclesOf(graph, target);
      const ports = engineCycles({ ...body, mapping: "vector", engine: "vector" } as CommandBody, target);
      expect(array).toBeLessThanOrEqual(Math.max(least, ports));
      const onVector = found.find(({ mapping }) => mapping === "vector");
      expect(vector === undefined).toBe(onVector === undefined);
      if (vector !== undefined && onVector) expect(vector).toBeLessThanOrEqual(Math.max(onVector.cycles, ports));
      share += Math.min(array / least, 1) / runs;
    }
    expect(share).toBeGreaterThan(0.6);
  });
});

function withChannels(y: Operand, channels: number): Operand {
  return operand(y.shape.map((size, axis) => (axis === 1 ? channels : size)));
}

describe("no schedule beats the bound", () => {
  test.each(
    ["ai3", "ai4", "ai4-parked-charging", "ai5-preview", "nvdla-256", "ethos-u55-256"].filter((name) =>
      TARGETS.includes(name),
    ),
  )("random graphs on %s", (name) => {
    let ran = 0;
    for (let seed = 0; seed < 25; seed++) {
      const draw = drawFrom(seededRandom(`bound ${seed}`));
      const { graph } = randomGraph(draw, draw.int(2, 12));
      const target = loadTarget(name, { set: [draw.pick(["dram.GBps=20", "dram.GBps=224"])] });
      let cycles: number;
      try {
        // The search for faster plans takes longer than all the rest: now and then.
        cycles = timeProgram(schedule(graph, target, { refined: seed % 8 === 0 }).program, target).cycles;
      } catch (error) {
        if (/npu\.|has no|cannot|limit/.test(String(error))) continue;
        throw error;
      }
      const bound = boundOf(graph, target);
      expect(bound.floorCycles, `seed ${seed}`).toBeLessThanOrEqual(cycles);
      expect(bound.rooflineCycles).toBeLessThanOrEqual(bound.floorCycles);
      ran++;
    }
    expect(ran).toBeGreaterThan(5);
  });
});

describe("what the bound counts", () => {
  const target = loadTarget("ai4");

  test("constants, inputs and outputs once; of a table the rows that are fetched", () => {
    const net = new Network("bytes");
    const x = net.input("x", [1, 64, 8, 8]);
    const graph = net.finish([net.slice(net.conv(x, 32, 1), 1, 0, 16)]);
    const constants = [...graph.constants.values()].reduce((sum, { shape, dtype }) => {
      const count = shape.reduce((a, b) => a * b, 1);
      return sum + count * (dtype === "int8" ? 1 : 4);
    }, 0);
    expect(boundOf(graph, target).compulsoryBytes).toBe(64 * 64 + constants + 16 * 64);
    const sliced = new Network("part");
    const part = sliced.finish([
      sliced.pool(sliced.slice(sliced.input("x", [1, 64, 8, 8]), 1, 0, 4), "MaxPool", 2, 2, 0),
    ]);
    expect(boundOf(part, target).compulsoryBytes).toBe(4 * 64 + 4 * 16);
  });

  test("a cache that is appended to in place is read once, and only the new row is written", () => {
    const net = new Network("cache");
    const at = net.index("at", [1]);
    const update = net.input("row", [1, 2, 1, 16]);
    const graph = net.finish([net.pool(net.cached(update, 64, at), "MaxPool", 2, 2, 0)]);
    // The other 63 rows of both heads, the new ones in and out, the index, and the output.
    expect(boundOf(graph, target).compulsoryBytes).toBe(2 * 63 * 16 + 2 * 32 + 4 + 2 * 32 * 8);
    const { program } = schedule(graph, target);
    expect(checkProgram(program, target).faults).toEqual([]);
    expect(timeProgram(program, target).cycles).toBeGreaterThanOrEqual(boundOf(graph, target).floorCycles);
  });

  test("several NPUs share the work but not the DRAM", () => {
    const net = new Network("shared");
    const graph = net.finish([net.conv(net.input("x", [1, 64, 64, 64]), 64, 3)]);
    const [one, three] = [boundOf(graph, target), boundOf(graph, target, { npus: 3 })];
    expect(three.floorCycles).toBe(Math.max(Math.ceil(one.arrayCycles / 3), one.dramCycles));
    expect(three.dramCycles).toBe(one.dramCycles);
  });

  test("the slowest layer has the teacher's name", () => {
    const net = new Network("slow");
    const x = net.conv(net.input("x", [1, 8, 32, 32]), 64, 1);
    const y = net.conv(x, 64, 5);
    const graph = net.finish([net.pool(y, "MaxPool", 2, 2, 0)]);
    expect(slowestLayer(graph, target)).toEqual({ layer: y.name, cycles: expect.any(Number) });
  });
});
