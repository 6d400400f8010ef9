import { expect, test } from "vitest";
import { Network } from "../../../bench/backend/builder.ts";
import { checkProgram } from "../../../src/checker/check.ts";
import type { AnyArray } from "../../../src/emulate/machine/memory.ts";
import { createMachine } from "../../../src/emulate/machine.ts";
import { timeProgram } from "../../../src/emulate/timing.ts";
import { CompileError } from "../../../src/error.ts";
import { elementCount, type Graph, type Tensor } from "../../../src/ir/graph.ts";
import { seededRandom } from "../../../src/ir/random.ts";
import { makeTensor, numbersOf, valuesOf } from "../../../src/ir/tensor.ts";
import { print } from "../../../src/ir/text.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { encodeProgram } from "../../../src/schedule/encode.ts";
import { bestStages } from "../../../src/schedule/partition/stages.ts";
import { type ScheduleOptions, schedule } from "../../../src/schedule/schedule.ts";
import { loadTarget } from "../../../src/target/load.ts";
import { drawFrom } from "../../emulate/cases.ts";
import { randomGraph } from "../../emulate/random-graph.ts";

test("the stages are those that brute force finds", () => {
  const random = seededRandom("stages");
  for (let round = 0; round < 300; round++) {
    const count = 1 + Math.floor(random() * 7);
    const [work, sent] = [0, 1].map(() => Array.from({ length: count }, () => Math.floor(random() * 20)));
    const cycles = (from: number, to: number) =>
      work.slice(from, to).reduce((sum, own) => sum + own, 0) + (from === 0 ? 0 : sent[from]);
    const stages = 1 + Math.floor(random() * 4);
    const pieces = 1 + Math.floor(random() * 9);
    let least = Number.POSITIVE_INFINITY;
    for (let cuts = 0; cuts < 2 ** (count - 1); cuts++) {
      const starts = [
        0,
        ...Array.from({ length: count - 1 }, (_, at) => at + 1).filter((at) => (cuts >> (at - 1)) & 1),
      ];
      if (starts.length > stages) continue;
      const own = starts.map((start, at) => cycles(start, starts[at + 1] ?? count));
      least = Math.min(least, own.reduce((sum, one) => sum + one, 0) + (pieces - 1) * Math.max(...own));
    }
    const places = Array.from({ length: count + 1 }, (_, at) => at);
    const found = bestStages({ places, cycles }, stages, pieces);
    expect(found.cycles).toBe(least);
    const own = found.starts.map((start, at) => cycles(start, found.starts[at + 1] ?? count));
    expect(own.reduce((sum, one) => sum + one, 0) + (pieces - 1) * Math.max(...own)).toBe(least);
    expect(found.starts.length).toBeLessThanOrEqual(stages);
  }
});

for (const set of [[], ["sram=16KiB"], ["sram=6KiB"]]) {
  const target = loadTarget("ai4", { set });
  test(`three stages give the oracle's bits over several steps ${set}`, () => {
    let staged = 0;
    for (let seed = 0; seed < 16; seed++) {
      const draw = drawFrom(seededRandom(`stages ${seed}`));
      const { graph, feeds } = randomGraph(draw, draw.int(2, 12), 2);
      const where = `seed ${seed}\n${print(graph)}`;
      let program: ReturnType<typeof schedule>["program"];
      try {
        ({ program } = schedule(graph, target, { npus: 3, sharing: "stages" }));
      } catch (error) {
        if (set.length > 0 && error instanceof CompileError && error.code.startsWith("model/")) continue;
        throw new Error(where, { cause: error });
      }
      if (program.entries[0].commands.some(({ npu }) => npu > 0)) staged++;
      expect(checkProgram(program, target).faults, where).toEqual([]);
      const machine = createMachine(encodeProgram(program));
      const held = new Map(graph.states.map(({ input, init }) => [input, init]));
      for (const given of feeds) {
        const expected = interpret(graph, new Map([...given, ...held]));
        const arrays = [...given].map(([name, tensor]) => [name, valuesOf(tensor) as AnyArray] as const);
        const actual = machine.run("main", new Map(arrays));
        for (const name of graph.outputs) {
          expect(Array.from(actual.get(name) as Int8Array), where).toEqual(numbersOf(expected.get(name) as Tensor));
        }
        for (const { input, output } of graph.states) held.set(input, expected.get(output) as Tensor);
      }
    }
    expect(staged).toBeGreaterThan(7);
  });
}

/** Branches, sums, concatenations and reshapes of a batch. */
function batchNetwork(seed: number): Graph {
  const draw = drawFrom(seededRandom(`batch ${seed}`));
  const net = new Network(`batch ${seed}`);
  const batch = draw.int(2, 6);
  let x = net.conv(net.input("x", [batch, 3, 12, 12]), 8, 3, { stride: draw.int(1, 2) });
  for (let block = draw.int(1, 4); block > 0; block--) {
    const channels = x.shape[1];
    const way = draw.int(0, 3);
    if (way === 0) x = net.sum(net.conv(net.conv(x, 12, 1, { table: true }), channels, 3), x);
    else if (way === 1) x = net.concat([net.conv(x, 4, 1), net.pool(x, "MaxPool", 3, 1, 1), x], 1);
    else if (way === 2)
      x = net.conv(net.upsample(net.pool(x, "AveragePool", 2, 2, 0)), channels, 3, { groups: channels });
    else x = net.sum(net.slice(net.conv(x, channels + 8, 1), 1, 8, channels + 8), x);
  }
  const features = net.reshape(net.mean(x), [batch, x.shape[1]]);
  return net.finish([net.linear(features, 10), x]);
}

for (const set of [[], ["sram=16KiB"]]) {
  const target = loadTarget("ai4", { set });
  test(`a batch goes through the stages piece by piece to the same bits ${set}`, () => {
    for (let seed = 0; seed < 8; seed++) {
      const graph = batchNetwork(seed);
      const where = `seed ${seed}\n${print(graph)}`;
      const { program } = schedule(graph, target, { npus: 3, sharing: "stages" });
      const { commands } = program.entries[0];
      expect(checkProgram(program, target).faults, where).toEqual([]);
      // Weights of a layer lie on one NPU.
      const weights = commands.filter((one) => one.kind === "dma-read" && one.from.address < program.weightBytes);
      for (const one of weights) expect("npus" in one && one.npus, where).toBeFalsy();
      const working = commands.filter(({ engine }) => engine === "array" || engine === "vector");
      expect(new Set(working.map(({ npu }) => npu)).size, where).toBeGreaterThanOrEqual(2);
      const shape = (graph.types.get("x")?.shape ?? []).map(Number);
      const random = seededRandom(`feed ${seed}`);
      const codes = Int8Array.from({ length: elementCount(shape) }, () => Math.floor(random() * 256) - 128);
      const expected = interpret(graph, new Map([["x", makeTensor("int8", shape, codes)]]));
      const actual = createMachine(encodeProgram(program)).run("main", new Map([["x", codes]]));
      for (const name of graph.outputs) {
        expect(Array.from(actual.get(name) as Int8Array), where).toEqual(numbersOf(expected.get(name) as Tensor));
      }
    }
  });
}

test("a stage works on an image while the one before it has the next", () => {
  const target = loadTarget("ai4");
  const net = new Network("flow");
  const batch = 8;
  let x = net.conv(net.input("x", [batch, 16, 64, 64]), 64, 3);
  for (let layer = 0; layer < 8; layer++) x = net.conv(x, 64, 3);
  const graph = net.finish([net.linear(net.reshape(net.mean(x), [batch, 64]), 10)]);
  const cyclesOf = (options: ScheduleOptions) => timeProgram(schedule(graph, target, options).program, target).cycles;
  const alone = cyclesOf({});
  const staged = cyclesOf({ npus: 3, sharing: "stages" });
  // Eight images through three stages take ten beats of a third each.
  expect(alone / staged).toBeGreaterThan(2);
  expect(cyclesOf({ npus: 3 })).toBeLessThanOrEqual(staged);
});
