import { describe, expect, test } from "vitest";
import type { AnyArray } from "../../src/emulate/machine/memory.ts";
import { createMachine, type Machine } from "../../src/emulate/machine.ts";
import { CompileError } from "../../src/error.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { numbersOf, valuesOf } from "../../src/ir/tensor.ts";
import { print } from "../../src/ir/text.ts";
import { interpret } from "../../src/run/interpret.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import type { Command, Program } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";
import { drawFrom } from "./cases.ts";
import { GENERATORS } from "./generators.ts";
import { withInt4Weights } from "./int4.ts";
import { randomGraph } from "./random-graph.ts";

function feedsOf(feeds: ReadonlyMap<string, Tensor>): Map<string, AnyArray> {
  return new Map([...feeds].map(([name, tensor]) => [name, valuesOf(tensor) as AnyArray]));
}

/** Outputs of one run of the scheduled, encoded, decoded graph. */
function runOnMachine(graph: Graph, feeds: ReadonlyMap<string, Tensor>, target: Target): Map<string, AnyArray> {
  const { program } = schedule(graph, target);
  return createMachine(encodeProgram(program)).run("main", feedsOf(feeds));
}

/** Windows over three axes have no place on the array. */
function isMapped(graph: Graph): boolean {
  const node = graph.nodes[graph.nodes.length - 1];
  const windowed = ["Conv", "ConvTranspose", "MaxPool", "AveragePool"].includes(node.op);
  return !windowed || (graph.types.get(node.inputs[0])?.shape?.length ?? 0) <= 4;
}

describe("the machine computes what the oracle computes", () => {
  for (const set of [[], ["sram=8KiB"], ["sram=3KiB"]]) {
    const target = loadTarget("ai4", { set });
    test.each(Object.keys(GENERATORS))(`%s ${set}`, (op) => {
      let ran = 0;
      for (let seed = 0; seed < 12; seed++) {
        const { graph, feeds } = GENERATORS[op](drawFrom(seededRandom(`${op} ${seed}`)));
        if (!isMapped(graph)) continue;
        const context = `seed ${seed}: ${JSON.stringify([...graph.nodes[0].attrs])}`;
        let actual: Map<string, AnyArray>;
        try {
          actual = runOnMachine(graph, feeds, target);
        } catch (error) {
          if (set.length > 0 && error instanceof CompileError && error.code === "model/layer-too-large") continue;
          throw new Error(context, { cause: error });
        }
        const expected = interpret(graph, feeds).get("y") as Tensor;
        expect(Array.from(actual.get("y") as Int8Array), context).toEqual(numbersOf(expected));
        ran++;
      }
      expect(ran).toBeGreaterThan(4);
    });
  }
});

describe("graphs of several layers", () => {
  for (const set of [[], ["sram=16KiB"], ["sram=6KiB"]]) {
    const target = loadTarget("ai4", { set });
    test(`give the oracle's bits over several steps ${set}`, () => {
      let ran = 0;
      for (let seed = 0; seed < 60; seed++) {
        const draw = drawFrom(seededRandom(`graph ${seed}`));
        const { graph: drawn, feeds } = randomGraph(draw, draw.int(2, 12), 2);
        const graph = draw.maybe() ? withInt4Weights(drawn, draw, false) : drawn;
        let machine: Machine;
        try {
          machine = createMachine(encodeProgram(schedule(graph, target, { refined: seed % 8 === 0 }).program));
        } catch (error) {
          if (set.length > 0 && error instanceof CompileError && error.code === "model/layer-too-large") continue;
          throw new Error(`seed ${seed}\n${print(graph)}`, { cause: error });
        }
        const held = new Map(graph.states.map(({ input, init }) => [input, init]));
        for (const given of feeds) {
          const expected = interpret(graph, new Map([...given, ...held]));
          const actual = machine.run("main", feedsOf(given));
          for (const name of graph.outputs) {
            const context = `seed ${seed}, ${name}\n${print(graph)}`;
            expect(Array.from(actual.get(name) as Int8Array), context).toEqual(numbersOf(expected.get(name) as Tensor));
          }
          for (const { input, output } of graph.states) held.set(input, expected.get(output) as Tensor);
        }
        ran++;
      }
      expect(ran).toBeGreaterThan(40);
    });
  }
});

/** Commands in another order that the engines' queues and the waits allow; `lawless`: as if nobody waited. */
function shuffled(program: Program, random: () => number, lawless = false): Program {
  const entries = program.entries.map((entry) => {
    const { commands } = entry;
    const queues = new Map<string, number[]>();
    commands.forEach(({ engine }, id) => {
      queues.set(engine, [...(queues.get(engine) ?? []), id]);
    });
    const done = new Set<number>();
    const order: Command[] = [];
    while (order.length < commands.length) {
      const ready = [...queues.values()].filter(
        ([id]) => id !== undefined && (lawless || commands[id].waits.every((wait) => done.has(wait))),
      );
      const queue = ready[Math.floor(random() * ready.length)];
      const id = queue.shift() as number;
      done.add(id);
      order.push({ ...commands[id], waits: [] });
    }
    return { ...entry, commands: order };
  });
  return { ...program, entries };
}

test("any order that the engines and the waits allow gives the same bits", () => {
  let reordered = 0;
  let broken = 0;
  for (const set of [["sram=16KiB"], []]) {
    const target = loadTarget("ai4", { set });
    for (let seed = 0; seed < 24; seed++) {
      const draw = drawFrom(seededRandom(`order ${seed}`));
      const { graph: drawn, feeds } = randomGraph(draw, draw.int(3, 12), 2);
      const graph = draw.maybe() ? withInt4Weights(drawn, draw, false) : drawn;
      let program: Program;
      try {
        ({ program } = schedule(graph, target, { refined: seed % 8 === 0 }));
      } catch {
        continue;
      }
      const straight = createMachine(encodeProgram(program));
      const expected = feeds.map((given) => straight.run("main", feedsOf(given)));
      for (let attempt = 0; attempt < 3; attempt++) {
        const other = createMachine(encodeProgram(shuffled(program, seededRandom(`${seed} ${attempt}`))));
        const actual = feeds.map((given) => other.run("main", feedsOf(given)));
        expect(actual, `seed ${seed}\n${print(graph)}`).toEqual(expected);
        reordered++;
      }
      const lawless = createMachine(encodeProgram(shuffled(program, seededRandom(`${seed}`), true)));
      const wrong = feeds.map((given) => lawless.run("main", feedsOf(given)));
      if (
        JSON.stringify(wrong.map((outputs) => [...outputs])) !== JSON.stringify(expected.map((outputs) => [...outputs]))
      )
        broken++;
    }
  }
  expect(reordered).toBeGreaterThan(90);
  expect(broken).toBeGreaterThan(25);
});
