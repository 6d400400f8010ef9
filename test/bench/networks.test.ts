import { expect, test } from "vitest";
import { Network } from "../../bench/backend/builder.ts";
import { calibrated, seededInputs, shareUsed } from "../../bench/backend/calibrate.ts";
import { withInt4Weights } from "../../bench/backend/int4.ts";
import { decoderStep, gptDecode } from "../../bench/backend/networks/transformers.ts";
import { loadInteger } from "../../src/emulate/integer.ts";
import type { AnyArray } from "../../src/emulate/machine/memory.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import type { Graph, LazyBytes } from "../../src/ir/graph.ts";
import { isLazy, makeTensor, numbersOf } from "../../src/ir/tensor.ts";
import { withPackedCaches } from "../../src/quant/packed-caches.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";

const ai4 = loadTarget("ai4");

/** The graph with weights that must not be read. */
function sealed(graph: Graph): Graph {
  const constants = new Map(
    [...graph.constants].map(([name, tensor]) => {
      if (!isLazy(tensor.data)) return [name, tensor] as const;
      const read = (): Uint8Array => {
        throw new Error(`${name} was read`);
      };
      const data: LazyBytes = { lazy: true, byteLength: tensor.data.byteLength, read };
      return [name, { ...tensor, data }] as const;
    }),
  );
  return { ...graph, constants };
}

const SMALL = { layers: 2, width: 96, heads: 3, context: 8, vocabulary: 50 };
const CACHES = decoderStep("small", SMALL).states.map(({ input }) => input);

test.each([
  ["8", decoderStep("small", SMALL)],
  ["4", withInt4Weights(decoderStep("small", SMALL), 32)],
  ["8 and caches of 4", withPackedCaches(decoderStep("small", SMALL), new Set(CACHES))],
])("a decoder's step with weights of %s bits writes its caches in place, on one NPU and on three", (_, graph) => {
  for (const [npus, sharing] of [[1, "faster"] as const, [3, "always"] as const]) {
    const { program } = schedule(graph, ai4, { npus, sharing });
    const scatters = program.entries[0].commands.filter(({ kind }) => kind === "scatter");
    expect(scatters.length).toBeGreaterThanOrEqual(2 * SMALL.layers);
    const machine = createMachine(encodeProgram(program));
    const expected = loadInteger({
      ...graph,
      outputs: [...graph.outputs, ...graph.states.map(({ output }) => output)],
    });
    for (let position = 0; position < 5; position++) {
      const visible = Int8Array.from({ length: SMALL.context }, (_, at) => (at <= position ? 127 : -128));
      const feeds = new Map([
        ["token", makeTensor("int32", [1], Int32Array.of((position * 7) % SMALL.vocabulary))],
        ["position", makeTensor("int32", [1], Int32Array.of(position))],
        ["visible", makeTensor("int8", [1, 1, 1, SMALL.context], visible)],
      ]);
      const actual = machine.run("main", new Map([...feeds].map(([name, { data }]) => [name, data as AnyArray])));
      const wanted = expected.run(feeds);
      for (const name of graph.outputs) {
        expect(Array.from(actual.get(name) as Int8Array)).toEqual(
          numbersOf(wanted.get(name) ?? makeTensor("int8", [0], new Int8Array(0))),
        );
      }
    }
  }
});

test("weights of 4 bits take half the bytes, and the time of a step that waits for them", () => {
  const graph = gptDecode(2);
  const [eight, four] = [graph, withInt4Weights(graph, 128)].map(
    (one) => schedule(sealed(one), ai4, { npus: 3, sharing: "always" }).program,
  );
  // Of the rows of two tables only one each is read.
  const tables = (50_257 + 512) * 1600;
  expect((four.weightBytes - tables) / (eight.weightBytes - tables)).toBeLessThan(0.53);
  const [slow, fast] = [eight, four].map((program) => timeProgram(program, ai4).cycles);
  expect(slow / fast).toBeGreaterThan(1.7);
});

test("hundreds of millions of weights are planned without being made", () => {
  const graph = sealed(gptDecode(6));
  const { program } = schedule(graph, ai4);
  expect(program.weightBytes).toBeGreaterThan(3.4e8);
  expect(program.weightBytes).toBeLessThan(3.7e8);
});

test("weights that are made when they are asked for are the same every time", () => {
  const small = decoderStep("small", SMALL);
  const bytes = () => encodeProgram(schedule(small, ai4).program);
  expect(bytes()).toEqual(bytes());
});

test("calibration brings every stage to where codes are used", () => {
  const net = new Network("small");
  let x = net.conv(net.input("x", [1, 3, 16, 16]), 24, 3, { stride: 2 });
  for (let block = 0; block < 4; block++) x = net.sum(net.conv(net.conv(x, 48, 1, { table: true }), 24, 3), x);
  const graph = net.finish([net.linear(net.reshape(net.mean(x), [1, 24]), 100)]);
  const { used } = calibrated(graph);
  expect(used.size).toBe(15);
  for (const share of used.values()) {
    expect(share).toBeGreaterThan(0.05);
    expect(share).toBeLessThan(0.95);
  }
});

test("the share of codes used", () => {
  expect(shareUsed([1, 1, 1, 1])).toBe(1 / 256);
  expect(shareUsed(Array.from({ length: 256 }, (_, code) => code))).toBeCloseTo(1, 12);
  expect(seededInputs(decoderStep("small", SMALL), 1).get("token")?.data).toEqual(Int32Array.of(0));
});
