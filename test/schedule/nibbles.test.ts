import { describe, expect, it } from "vitest";
import { boundOf } from "../../src/checker/bound.ts";
import { checkProgram } from "../../src/checker/check.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import type { Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { makeTensor, numbersOf } from "../../src/ir/tensor.ts";
import { interpret } from "../../src/run/interpret.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import type { MatMulCommand, Program } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import { prepare } from "../harness/pass.ts";

/** A step of attention whose caches are `rows` positions of 2 heads with 32 channels; codes of 4 bits, or of 8. */
function attention(rows: number, bits: 4 | 8) {
  const four = bits === 4;
  const cache = four ? `uint8[1,2,${rows},16]` : `int8[1,2,${rows},32]`;
  const pack = (name: string) =>
    four ? `${name}b = npu.PackNibbles(${name})` : `${name}b = npu.Reshape(${name}) shape=[1,2,1,32]`;
  const unpack = (name: string) =>
    four ? `${name}c = npu.UnpackNibbles(${name})` : `${name}c = npu.Reshape(${name}) shape=[1,2,${rows},32]`;
  return prepare(`
    input q: int8[1,2,1,32]
    input k: int8[1,2,1,32]
    input v: int8[1,2,1,32]
    input at: int32[1]
    input keys: ${cache}
    input values: ${cache}
    state nextKeys -> keys = zeros
    state nextValues -> values = zeros
    const m: int32[1] = [1073741824]
    const s: int32[1] = [36]
    const h: int32[1] = [42]
    const powers: int32[256] = random(5, 0, 32768)
    ${pack("k")}
    ${pack("v")}
    nextKeys = npu.TensorScatter(keys, kb, at) axis=2 mode="linear"
    nextValues = npu.TensorScatter(values, vb, at) axis=2 mode="linear"
    ${unpack("nextKeys")}
    ${unpack("nextValues")}
    turned = npu.Transpose(nextKeysc) perm=[0,1,3,2]
    scores = npu.MatMul(q, turned, _, m, s)
    weights = npu.Softmax(scores, powers) axis=3 normalised=0 y_dtype="uint8"
    y = npu.MatMul(weights, nextValuesc, _, m, h) normalise=1
    return y
  `);
}

const ai4 = loadTarget("ai4");
const products = ({ entries }: Program): MatMulCommand[] =>
  entries[0].commands.flatMap((command) => (command.kind === "matmul" ? [command] : []));
const kinds = ({ entries }: Program) => new Set(entries[0].commands.map(({ kind }) => kind));

describe("caches of 4 bits", () => {
  it.each([
    ["in one piece", 1, []],
    ["on three NPUs", 3, []],
    ["in little SRAM", 1, ["sram=8KiB"]],
    ["unpacked by the vector unit", 1, ["array.int4Storage=none"]],
  ])("say what the oracle says, step by step: %s", (_, npus, set) => {
    const graph = attention(96, 4);
    const target = loadTarget("ai4", { set: [...set] });
    const { program } = schedule(graph, target, npus > 1 ? { npus, sharing: "always" } : {});
    const isRead = set[0] !== "array.int4Storage=none";
    expect(products(program).every(({ b }) => b.dtype === (isRead ? "int4" : "int8"))).toBe(true);
    expect(kinds(program).has("unpack")).toBe(!isRead);
    expect(checkProgram(program, target).faults).toEqual([]);
    const machine = createMachine(encodeProgram(program));
    const random = seededRandom("steps");
    const held = new Map(graph.states.map(({ input, init }) => [input, init]));
    for (let turn = 0; turn < 5; turn++) {
      const codes = () => Int8Array.from({ length: 64 }, () => Math.floor(random() * 24) - 12);
      const feeds = new Map<string, Tensor>(
        ["q", "k", "v"].map((name) => [name, makeTensor("int8", [1, 2, 1, 32], codes())]),
      );
      feeds.set("at", makeTensor("int32", [1], Int32Array.of((turn * 37) % 96)));
      const expected = interpret({ ...graph, outputs: ["y", "nextKeys", "nextValues"] }, new Map([...feeds, ...held]));
      for (const { input, output } of graph.states) held.set(input, expected.get(output) as Tensor);
      const given = new Map([...feeds].map(([name, { data }]) => [name, data as Int8Array]));
      expect(Array.from(machine.run("main", given).get("y") as Int8Array)).toEqual(
        numbersOf(expected.get("y") as Tensor),
      );
    }
  });

  it("take half the bytes and are no slower than the bound", () => {
    const [four, eight] = [attention(2048, 4), attention(2048, 8)];
    const read = (graph: typeof four) => timeProgram(schedule(graph, ai4).program, ai4);
    expect(read(four).dramBytes).toBeLessThan(0.52 * read(eight).dramBytes);
    expect(boundOf(four, ai4).compulsoryBytes).toBeLessThan(0.52 * boundOf(eight, ai4).compulsoryBytes);
    expect(read(four).cycles).toBeLessThan(read(eight).cycles);
    for (const rate of [1, 2]) {
      const target = loadTarget("ai4", { set: [`array.int4Rate=${rate}`, "dram=4000"] });
      const { cycles } = timeProgram(schedule(four, target).program, target);
      expect(cycles).toBeGreaterThanOrEqual(boundOf(four, target).floorCycles);
    }
  });

  it("are refused, by name, where nothing packs", () => {
    const target = loadTarget("nvdla-2048");
    expect(() => schedule(attention(96, 4), target)).toThrow(/packs codes of 4 bits, which caches in 8 bits need not/);
  });

  it("that a program claims wrongly are refused", () => {
    const { program } = schedule(attention(96, 4), ai4);
    const spoilt = (change: (command: MatMulCommand) => MatMulCommand): Program => {
      const commands = program.entries[0].commands.map((each) => (each.kind === "matmul" ? change(each) : each));
      return { ...program, entries: [{ ...program.entries[0], commands }] };
    };
    const odd = spoilt((each) => ({ ...each, b: { ...each.b, strides: each.b.strides.map((step) => step + 1) } }));
    const kinds = checkProgram(odd, ai4).faults.map(({ kind }) => kind);
    expect(kinds).toContain("form");
    expect(() => createMachine(encodeProgram(odd))).toThrow(/do not lie in rows|bytes .* of/);
  });
});
