import { describe, expect, test } from "vitest";
import { checkProgram } from "../../src/checker/check.ts";
import type { AnyArray } from "../../src/emulate/machine/memory.ts";
import { createMachine, type Machine } from "../../src/emulate/machine.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import type { Graph, Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { numbersOf, valuesOf } from "../../src/ir/tensor.ts";
import { parse, print } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { interpret } from "../../src/run/interpret.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { layerByLayerBytes } from "../../src/schedule/layer-by-layer.ts";
import type { Command, Program } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import { codes, drawFrom } from "../emulate/cases.ts";
import { deepNetwork } from "./deep-network.ts";

/** Whether some tensor lies in SRAM strip by strip. */
function hasStrips(program: Program): boolean {
  return program.plan.some(({ buffers }) => buffers.some(({ name }) => /\/\d+( kept)?$/.test(name)));
}

/** Commands in another order that the engines' queues and the waits allow. */
function shuffled(program: Program, random: () => number): Program {
  const entries = program.entries.map((entry) => {
    const queues = new Map<string, number[]>();
    entry.commands.forEach(({ engine }, id) => {
      queues.set(engine, [...(queues.get(engine) ?? []), id]);
    });
    const done = new Set<number>();
    const commands: Command[] = [];
    while (commands.length < entry.commands.length) {
      const ready = [...queues.values()].filter(
        ([id]) => id !== undefined && entry.commands[id].waits.every((wait) => done.has(wait)),
      );
      const id = ready[Math.floor(random() * ready.length)].shift() as number;
      done.add(id);
      commands.push({ ...entry.commands[id], waits: [] });
    }
    return { ...entry, commands };
  });
  return { ...program, entries };
}

function outputsOf(machine: Machine, graph: Graph, x: Tensor): number[][] {
  const found = machine.run("main", new Map([["x", valuesOf(x) as AnyArray]]));
  return graph.outputs.map((name) => [...(found.get(name) as Int8Array)]);
}

describe("deep networks in strips", () => {
  for (const [set, least] of [
    ["sram=4KiB", 1],
    ["sram=2KiB", 6],
  ] as const) {
    const target = loadTarget("ai4", { set: [set] });
    test(`give the oracle's bits, in any order that the waits allow, with ${set}`, () => {
      let cascaded = 0;
      for (let seed = 0; seed < 32; seed++) {
        const draw = drawFrom(seededRandom(`deep ${seed}`));
        const graph = deepNetwork(draw, draw.int(3, 12));
        const { program } = schedule(graph, target, { cascades: "always" });
        if (!hasStrips(program)) continue;
        cascaded++;
        expect(checkProgram(program, target).faults, `seed ${seed}\n${print(graph)}`).toEqual([]);
        const x = codes(draw, "int8", graph.types.get("x")?.shape as number[]);
        const expected = interpret(graph, new Map([["x", x]]));
        const wanted = graph.outputs.map((name) => numbersOf(expected.get(name) as Tensor));
        const context = `seed ${seed}\n${print(graph)}`;
        expect(outputsOf(createMachine(encodeProgram(program)), graph, x), context).toEqual(wanted);
        const other = shuffled(program, seededRandom(`order ${seed}`));
        expect(outputsOf(createMachine(encodeProgram(other)), graph, x), context).toEqual(wanted);
      }
      expect(cascaded).toBeGreaterThanOrEqual(least);
    });
  }
});

/** Windows, a stride, a branch that is added and one that is concatenated: tensors of 12 KiB with 16 KiB of SRAM. */
const TALL = `
  input x: int8[1,4,96,32]
  const w1: int8[4,4,3,3] = ones
  const w2: int8[4,1,3,3] = ones
  const w3: int8[8,4,3,3] = ones
  const b4: int32[4] = zeros
  const b8: int32[8] = zeros
  const m: int32[1] = [1073741824]
  const s: int32[1] = [36]
  a: int8[1,4,96,32] = npu.Conv(x, w1, b4, m, s) pads=[1,1,1,1]
  b: int8[1,4,96,32] = npu.Conv(a, w2, b4, m, s) pads=[1,1,1,1] group=4
  c: int8[1,4,96,32] = npu.Conv(b, w1, b4, m, s) pads=[1,1,1,1]
  d: int8[1,4,96,32] = npu.Add(a, c, m, s) a_multiplier=1048576 b_multiplier=1048576
  e: int8[1,4,96,32] = npu.Conv(d, w1, b4, m, s) pads=[1,1,1,1]
  f: int8[1,8,96,32] = npu.Concat(d, e) axis=1
  g: int8[1,8,48,16] = npu.MaxPool(f) kernel_shape=[2,2] strides=[2,2]
  h: int8[1,4,48,16] = npu.Slice(g) starts=[0] ends=[4] axes=[1]
  y: int8[1,8,24,8] = npu.Conv(h, w3, b8, m, s) pads=[1,1,1,1] strides=[2,2]
  return y
`;

test("what layers hand to each other stays in SRAM although it would not fit there as a whole", () => {
  const graph = inferTypes(parse(TALL));
  const target = loadTarget("ai4", { set: ["sram=16KiB"] });
  const [plain, strips] = (["never", "faster"] as const).map((cascades) => {
    return timeProgram(schedule(graph, target, { cascades, refined: false }).program, target);
  });
  expect(strips.cycles).toBeLessThan(plain.cycles);
  expect(plain.dramBytes).toBeGreaterThan(5 * strips.dramBytes);
  expect(layerByLayerBytes(graph, target)).toBeGreaterThan(5 * strips.dramBytes);
});

test("layer by layer, every layer reads its inputs and constants and writes its output", () => {
  const text = `
    input x: int8[1,2,3,4]
    const w: int8[2,2,1,1] = [1, 2, 3, 4]
    const b: int32[2] = [5, -6]
    const m: int32[2] = [1073741824, 1610612736]
    const s: int32[2] = [31, 32]
    a: int8[1,2,3,4] = npu.Conv(x, w, b, m, s)
    r: int8[1,24] = npu.Reshape(a) shape=[1,24]
    y: int8[1,24] = npu.Max(r, r)
    return y
  `;
  const conv = 24 + 4 + 8 + 8 + 8 + 24;
  const max = 24 + 24 + 24;
  expect(layerByLayerBytes(inferTypes(parse(text)), loadTarget("ai4"))).toBe(conv + max);
});
