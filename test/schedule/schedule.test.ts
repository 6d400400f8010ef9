import { describe, expect, test } from "vitest";
import { cost } from "../../src/build/cost.ts";
import type { AnyArray } from "../../src/emulate/machine/memory.ts";
import { createMachine, type HostCall } from "../../src/emulate/machine.ts";
import { CompileError } from "../../src/error.ts";
import { attrs, type Graph, makeGraph, type Tensor, type Type } from "../../src/ir/graph.ts";
import { makeTensor } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { interpret } from "../../src/run/interpret.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { printProgram } from "../../src/schedule/print.ts";
import { schedule, scheduleEntries } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";

const ai4 = loadTarget("ai4");
const bytes = (values: readonly number[]) => Int8Array.from(values);

function graph(text: string): Graph {
  return inferTypes(parse(text));
}

const SMALL = `
  input x: int8[1,2,3,4]
  const w: int8[2,2,1,1] = [1, 2, 3, 4]
  const b: int32[2] = [5, -6]
  const m: int32[2] = [1073741824, 1610612736]
  const s: int32[2] = [31, 32]
  const m1: int32[1] = [1073741824]
  const s1: int32[1] = [31]
  a: int8[1,2,3,4] = npu.Conv(x, w, b, m, s) x_zero=1   # origin: first
  y: int8[1,2,3,4] = npu.Add(a, x, m1, s1) a_multiplier=2 b_multiplier=-1   # origin: second
  return y
`;

describe("a small program", () => {
  test("reads as it runs", () => {
    const { program } = schedule(graph(SMALL), ai4);
    expect(printProgram(program)).toMatchInlineSnapshot(`
      "program unnamed for ai4: 33554432 bytes of SRAM, 256 of DRAM, 128 of weights
      entry main: SRAM peak 320, resident lower bound 192
        input x: dram@128:int8[1,2,3,4]
        output y: dram@192:int8[1,2,3,4]
        0 dma-in: dma-read sram@0:int8[1,2,3,4] = dram@128:int8[1,2,3,4]
        1 dma-in: dma-read sram@256:uint8[32] = dram@0:uint8[32]  # first
        2 dma-in: dma-read sram@192:uint8[16] = dram@64:uint8[16]  # second
        3 array after 1: conv sram@64:int8[1,2,3,4] = (sram@0:int8[1,2,3,4] − 1) ∗ sram@256:int8[2,2,1,1] + sram@264:int32[2]; strides [1,1] pads [0,0,0,0] dilations [1,1] groups 1 dense; tosa-single ×sram@272:int32[2]>>sram@280:int32[2] +0 in -128…127  # first
        4 vector after 2,3: eltwise sram@128:int8[1,2,3,4] = add (sram@64:int8[1,2,3,4] − 0)·2, (sram@0:int8[1,2,3,4] − 0)·-1; tosa-single ×sram@192:int32[1]>>sram@200:int32[1] +0 in -128…127  # second
        5 dma-out after 4: dma-write dram@192:int8[1,2,3,4] = sram@128:int8[1,2,3,4]
        6 cpu after 2,3,4,5: stop
      "
    `);
  });

  test("counts what it does", () => {
    const { stats } = schedule(graph(SMALL), ai4);
    expect(stats).toMatchObject({ placement: { npu: 1, vector: 1, cpu: 0 }, floatTensors: 0, int16Tensors: 0 });
    expect(stats.sramPeakBytes).toBeGreaterThan(0);
    expect(stats.dramBytesPerInference).toBe(24 + 24 + 32 + 16);
    expect(cost(graph(SMALL), ai4).cycles).toBeGreaterThan(0);
  });

  test("is the same bytes every time", () => {
    expect(encodeProgram(schedule(graph(SMALL), ai4).program)).toEqual(
      encodeProgram(schedule(graph(SMALL), ai4).program),
    );
  });
});

test("a layer that cannot be cut small enough names itself, the need and the limit", () => {
  const tiny = loadTarget("ai4", { set: ["sram=128"] });
  expect(() => schedule(graph(SMALL), tiny)).toThrow(CompileError);
  expect(() => schedule(graph(SMALL), tiny)).toThrow(/the layer \w+ needs \d+ bytes .* ai4 has 128/);
});

test("where a layer fits only alone, it is run alone", () => {
  const text = `
    input x: int8[1,7,476]
    const g: int16[476] = ones
    const b: int32[476] = zeros
    const m: int32[1] = [16384]
    const s: int32[1] = [40]
    n: int8[1,7,476] = npu.LayerNorm(x, g, b, m, s)
    y: int8[1,7,476] = npu.Max(n, x)
    return y
  `;
  const { program } = schedule(graph(text), loadTarget("ai4", { set: ["sram=4096"] }));
  expect(program.entries[0].commands.filter(({ kind }) => kind === "norm")).toHaveLength(7);
});

describe("several entries", () => {
  const step = (length: number) => `
    input x: int8[1,${length}]
    input h: int8[1,4]
    const w: int8[4,4] = [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]
    const m: int32[1] = [1073741824]
    const s: int32[1] = [33]
    state y -> h = [9, 9, 9, 9]
    r: int8[1,1] = npu.ReduceMax(x) axes=[1]
    g: int8[1,4] = npu.MatMul(h, w, "", m, s)
    y: int8[1,4] = npu.Max(g, r)
    return y
  `;

  test("share states and weights", () => {
    const entries = [3, 7].map((length) => ({ name: `length-${length}`, graph: graph(step(length)) }));
    const { program } = scheduleEntries(entries, ai4);
    expect(program.states).toHaveLength(1);
    const machine = createMachine(encodeProgram(program));
    const run = (name: string, x: readonly number[]) =>
      machine.run(name, new Map([["x", bytes(x)]])).get("y") as Int8Array;
    const expected = (length: number, x: readonly number[], h: AnyArray) => {
      const feeds = new Map([
        ["x", makeTensor("int8", [1, length], bytes(x))],
        ["h", makeTensor("int8", [1, 4], h as Int8Array)],
      ]);
      return (interpret(graph(step(length)), feeds).get("y") as Tensor).data;
    };
    const first = run("length-3", [1, 2, 3]);
    expect(first).toEqual(expected(3, [1, 2, 3], bytes([9, 9, 9, 9])));
    expect(run("length-7", [1, 2, 3, 4, 5, 6, 7])).toEqual(expected(7, [1, 2, 3, 4, 5, 6, 7], first));
    machine.reset();
    expect(run("length-3", [1, 2, 3])).toEqual(first);
    expect(() => run("length-9", [])).toThrow(/no entry "length-9"/);
  });

  test("states that change places do not overwrite each other", () => {
    const text = `
      input a: int8[2]
      input b: int8[2]
      input x: int8[2]
      state b2 -> a = [1, 2]
      state a2 -> b = [3, 4]
      a2: int8[2] = npu.Reshape(a) shape=[2]
      b2: int8[2] = npu.Reshape(b) shape=[2]
      y: int8[2] = npu.Max(a, x)
      return y, a2, b2
    `;
    for (const set of [[], ["sram=512"]]) {
      const machine = createMachine(encodeProgram(schedule(graph(text), loadTarget("ai4", { set })).program));
      const low = new Map([["x", bytes([-128, -128])]]);
      const seen = [0, 1, 2].map(() => [...(machine.run("main", low).get("y") as Int8Array)]);
      expect(seen).toEqual([
        [1, 2],
        [3, 4],
        [1, 2],
      ]);
    }
  });
});

describe("nodes on the host", () => {
  /** Codes through Mish and back: the chip, the host, the chip. */
  function mixed(): Graph {
    const quant = { scale: Float32Array.of(0.125), zeroPoint: Int32Array.of(3) };
    const type: Type = { dtype: "int8", shape: [1, 6], quant };
    const node = (op: string, domain: string, inputs: string[], output: string, given = {}) => {
      return { op, domain, inputs, outputs: [output], attrs: attrs(given), origin: [`the ${op}`] };
    };
    return makeGraph({
      inputs: ["x"],
      outputs: ["y"],
      nodes: [node("Max", "npu", ["x", "c"], "a"), node("Mish", "", ["a"], "b"), node("Max", "npu", ["b", "c"], "y")],
      constants: new Map([["c", makeTensor("int8", [1, 6], bytes([0, 10, -20, 30, -40, 50]), quant)]]),
      types: new Map(["x", "a", "b", "y"].map((name) => [name, type])),
    });
  }

  const host: HostCall = (text, inputs) => {
    const alone = parse(text);
    const feeds = new Map(alone.inputs.map((name, at) => [name, inputs[at] as Tensor]));
    const outputs = interpret(alone, feeds);
    return alone.outputs.map((name) => outputs.get(name) as ReturnType<HostCall>[number]);
  };

  test("are an error unless allowed, and then give the oracle's codes", () => {
    expect(() => schedule(mixed(), ai4)).toThrow(/the Mish \(Mish\)/);
    const { program, stats } = schedule(mixed(), ai4, { allowCpu: true });
    expect(stats.placement).toEqual({ npu: 0, vector: 2, cpu: 1 });
    const x = bytes([1, 2, 3, -4, 100, 6]);
    const expected = interpret(mixed(), new Map([["x", makeTensor("int8", [1, 6], x)]])).get("y") as Tensor;
    const sections = encodeProgram(program);
    expect(() => createMachine(sections).run("main", new Map([["x", x]]))).toThrow(/runs a node on the host/);
    expect(
      createMachine(sections, { cpu: host })
        .run("main", new Map([["x", x]]))
        .get("y"),
    ).toEqual(expected.data);
  });
});

test("a large constant table is fetched by rows", () => {
  const rows = 4000;
  const table = Int8Array.from({ length: rows * 32 }, (_, at) => (at * 7) % 251);
  const made = inferTypes(
    makeGraph({
      inputs: ["i"],
      outputs: ["y"],
      nodes: [
        {
          op: "Gather",
          domain: "npu",
          inputs: ["t", "i"],
          outputs: ["y"],
          attrs: attrs({ axis: { i: 0 } }),
          origin: [],
        },
      ],
      constants: new Map([["t", makeTensor("int8", [rows, 32], table)]]),
      types: new Map([["i", { dtype: "int32", shape: [3] }]]),
    }),
  );
  const { program, stats } = schedule(made, loadTarget("ai4", { set: ["sram=4KiB"] }));
  expect(stats.dramBytesPerInference).toBeLessThan(1000);
  const y = createMachine(encodeProgram(program))
    .run("main", new Map([["i", Int32Array.of(3999, 0, -2)]]))
    .get("y");
  const row = (at: number) => [...table.subarray(at * 32, at * 32 + 32)];
  expect([...(y as Int8Array)]).toEqual([...row(3999), ...row(0), ...row(3998)]);
});

test.each([
  ["nothing", new Map<string, AnyArray>()],
  ["the wrong type", new Map([["x", new Int16Array(24)]])],
  ["the wrong length", new Map([["x", new Int8Array(23)]])],
])("an input that is %s is the user's error", (_, inputs) => {
  const machine = createMachine(encodeProgram(schedule(graph(SMALL), ai4).program));
  expect(() => machine.run("main", inputs)).toThrow(/the input "x" is/);
});

describe("the cost of a graph", () => {
  const float = (width: number) =>
    graph(`
      input x: float32[1,${width},32,32]
      const w: float32[64,${width},3,3] = zeros
      const v: float32[10,64] = zeros
      a: float32[1,64,32,32] = Conv(x, w) pads=[1,1,1,1]
      b: float32[1,64,32,32] = Relu(a)
      p: float32[1,64,1,1] = GlobalAveragePool(b)
      f: float32[1,64] = Flatten(p)
      y: float32[1,10] = Gemm(f, v) transB=1
      return y
    `);

  test("is estimated before lowering, by the work that the array will have", () => {
    const narrow = cost(float(32), ai4);
    const wide = cost(float(128), ai4);
    // ⌈1024/96⌉ tiles of 64 columns, 9 products a channel.
    expect(wide.cycles).toBeGreaterThanOrEqual(11 * 128 * 9);
    expect(wide.cycles).toBeLessThan(11 * 128 * 9 * 1.1);
    expect(narrow.cycles).toBeLessThan(wide.cycles);
    expect(wide.dramBytes).toBe(128 * 1024 + 64 * 128 * 9 + 640 + 10);
  });

  test("of a lowered graph is that of its schedule", () => {
    expect(cost(graph(SMALL), ai4)).toMatchObject({ dramBytes: 96 });
  });
});

describe("rows written into a cache", () => {
  const step = (mode: string, reads: string) => `
    input x: int8[2,3,1,4]
    input at: int32[2]
    input cache: int8[2,3,5,4]
    state next -> cache = zeros
    next: int8[2,3,5,4] = npu.TensorScatter(cache, x, at) axis=2 mode="${mode}"
    y: int8[2,3,4] = npu.ReduceMax(${reads}) axes=[2] keepdims=0
    return y
  `;

  test.each([
    ["linear", "next"],
    ["circular", "next"],
    ["linear", "cache"],
  ])("%s, read from %s: as the oracle says, in place where only the rows change", (mode, reads) => {
    const made = graph(step(mode, reads));
    for (const [npus, sharing] of [[1, "faster"] as const, [3, "always"] as const]) {
      const { program } = schedule(made, ai4, { npus, sharing });
      const written = program.entries[0].commands.flatMap((command) =>
        command.kind === "dma-write" && command.from.shape.includes(5) ? [command] : [],
      );
      expect(written.length > 0).toBe(reads === "cache");
      const machine = createMachine(encodeProgram(program));
      let held = makeTensor("int8", [2, 3, 5, 4], new Int8Array(120));
      for (let turn = 0; turn < 7; turn++) {
        const x = makeTensor(
          "int8",
          [2, 3, 1, 4],
          Int8Array.from({ length: 24 }, (_, i) => ((i * 7 + turn * 31) % 255) - 127),
        );
        const at = makeTensor("int32", [2], Int32Array.of(turn, (turn * 3) % 7));
        const expected = interpret(
          { ...made, outputs: ["y", "next"] },
          new Map([
            ["x", x],
            ["at", at],
            ["cache", held],
          ]),
        );
        held = expected.get("next") as typeof held;
        const actual = machine.run(
          "main",
          new Map<string, AnyArray>([
            ["x", x.data as Int8Array],
            ["at", at.data as Int32Array],
          ]),
        );
        expect(actual.get("y")).toEqual((expected.get("y") as Tensor).data);
      }
    }
  });
});
