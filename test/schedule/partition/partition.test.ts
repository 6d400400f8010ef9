import { expect, test } from "vitest";
import { checkProgram } from "../../../src/checker/check.ts";
import type { AnyArray } from "../../../src/emulate/machine/memory.ts";
import { createMachine, type Machine } from "../../../src/emulate/machine.ts";
import { CompileError } from "../../../src/error.ts";
import type { Tensor } from "../../../src/ir/graph.ts";
import { seededRandom } from "../../../src/ir/random.ts";
import { numbersOf, valuesOf } from "../../../src/ir/tensor.ts";
import { parse, print } from "../../../src/ir/text.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { encodeProgram } from "../../../src/schedule/encode.ts";
import { schedule } from "../../../src/schedule/schedule.ts";
import { loadTarget } from "../../../src/target/load.ts";
import { drawFrom } from "../../emulate/cases.ts";
import { GENERATORS } from "../../emulate/generators.ts";
import { randomGraph } from "../../emulate/random-graph.ts";

function feedsOf(feeds: ReadonlyMap<string, Tensor>): Map<string, AnyArray> {
  return new Map([...feeds].map(([name, tensor]) => [name, valuesOf(tensor) as AnyArray]));
}

/** Windows over three axes have no place on the array. */
function isMapped(op: string, rank: number): boolean {
  return !["Conv", "ConvTranspose", "MaxPool", "AveragePool"].includes(op) || rank <= 4;
}

for (const set of [[], ["sram=16KiB"], ["sram=6KiB"]]) {
  const target = loadTarget("ai4", { set });
  test(`three NPUs give the oracle's bits over several steps ${set}`, () => {
    let shared = 0;
    for (let seed = 0; seed < 30; seed++) {
      const draw = drawFrom(seededRandom(`graph ${seed}`));
      const { graph, feeds } = randomGraph(draw, draw.int(2, 12), 2);
      let machine: Machine;
      try {
        const { program } = schedule(graph, target, { npus: 3, sharing: "always" });
        if (program.entries[0].commands.some(({ npu }) => npu === 2)) shared++;
        if (seed < 12) expect(checkProgram(program, target).faults, `seed ${seed}\n${print(graph)}`).toEqual([]);
        machine = createMachine(encodeProgram(program));
      } catch (error) {
        if (set.length > 0 && error instanceof CompileError && error.code.startsWith("model/")) continue;
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
    }
    expect(shared).toBeGreaterThan(10);
  });
}

test.each(Object.keys(GENERATORS))("three NPUs give the oracle's bits: %s", (op) => {
  const target = loadTarget("ai4", { set: ["sram=8KiB"] });
  for (let seed = 0; seed < 6; seed++) {
    const { graph, feeds } = GENERATORS[op](drawFrom(seededRandom(`${op} ${seed}`)));
    const last = graph.nodes[graph.nodes.length - 1];
    if (!isMapped(last.op, graph.types.get(last.inputs[0])?.shape?.length ?? 0)) continue;
    try {
      const { program } = schedule(graph, target, { npus: 3, sharing: "always" });
      const actual = createMachine(encodeProgram(program)).run("main", feedsOf(feeds));
      const expected = interpret(graph, feeds).get("y") as Tensor;
      expect(Array.from(actual.get("y") as Int8Array), `seed ${seed}`).toEqual(numbersOf(expected));
    } catch (error) {
      if (!(error instanceof CompileError) || error.code !== "model/layer-too-large") throw error;
    }
  }
});

test("more NPUs than the target has are the user's error", () => {
  const { graph } = GENERATORS.Add(drawFrom(seededRandom("npus")));
  expect(() => schedule(graph, loadTarget("ai4"), { npus: 4 })).toThrow(/ai4 has 3 NPUs, not 4/);
});

test("a shared program is the same bytes every time, and reads what all need once", () => {
  const draw = drawFrom(seededRandom("bytes"));
  const { graph } = randomGraph(draw, 9, 1);
  const make = () => encodeProgram(schedule(graph, loadTarget("ai4"), { npus: 3, sharing: "always" }).program);
  expect(make()).toEqual(make());
  const net = parse(`
    input x: int8[1,32,96,96]
    const w: int8[32,32,3,3] = ones
    const b: int32[32] = zeros
    const m: int32[1] = [1073741824]
    const s: int32[1] = [42]
    a: int8[1,32,96,96] = npu.Conv(x, w, b, m, s) pads=[1,1,1,1]
    y: int8[1,32,96,96] = npu.Conv(a, w, b, m, s) pads=[1,1,1,1]
    return y
  `);
  const { program } = schedule(net, loadTarget("ai4"), { npus: 3 });
  const reads = program.entries[0].commands.flatMap((command) => (command.kind === "dma-read" ? [command] : []));
  const weights = reads.filter(({ from }) => from.address < program.weightBytes);
  expect(weights.length).toBeGreaterThan(0);
  for (const { npus } of weights) expect(npus).toEqual([0, 1, 2]);
  // Two borders, each seen from both sides.
  const halos = reads.filter(({ from, npus }) => from.address >= program.weightBytes && npus === undefined);
  expect(halos.length).toBeGreaterThanOrEqual(4);
  const work = [0, 1, 2].map((npu) =>
    program.entries[0].commands.filter((one) => one.npu === npu && one.kind === "conv"),
  );
  for (const own of work) expect(own.length).toBeGreaterThan(0);
});
