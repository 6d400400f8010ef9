import { expect, test } from "vitest";
import { checkProgram } from "../../../src/checker/check.ts";
import type { AnyArray } from "../../../src/emulate/machine/memory.ts";
import { createMachine } from "../../../src/emulate/machine.ts";
import { CompileError } from "../../../src/error.ts";
import type { Tensor } from "../../../src/ir/graph.ts";
import { seededRandom } from "../../../src/ir/random.ts";
import { numbersOf, valuesOf } from "../../../src/ir/tensor.ts";
import { print } from "../../../src/ir/text.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { encodeProgram } from "../../../src/schedule/encode.ts";
import { bestStages } from "../../../src/schedule/partition/stages.ts";
import { schedule } from "../../../src/schedule/schedule.ts";
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
    for (let seed = 0; seed < 40; seed++) {
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
    expect(staged).toBeGreaterThan(5);
  });
}
