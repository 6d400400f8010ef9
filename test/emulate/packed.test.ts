import { describe, expect, it } from "vitest";
import { cost } from "../../src/build/cost.ts";
import { boundOf } from "../../src/checker/bound.ts";
import { checkProgram } from "../../src/checker/check.ts";
import { energyOf } from "../../src/emulate/energy.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import { CompileError } from "../../src/error.ts";
import { parse } from "../../src/ir/text.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import type { Command, ConvCommand, MatMulCommand, Program } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";

/** A dense layer, a depthwise one and a product, whose weights come as `weights` says. */
function layers(weights: string) {
  return parse(`
    input x: int8[1,6,8,8]
    const b1: int32[16] = zeros
    const b3: int32[96] = zeros
    const m: int32[1] = [1073741824]
    const s: int32[1] = [40]
    ${weights}
    c: int8[1,16,8,8] = npu.Conv(x, w1, b1, m, s) pads=[1,1,1,1]  # origin: dense
    d: int8[1,16,8,8] = npu.Conv(c, w2, b1, m, s) pads=[1,1,1,1] group=16  # origin: depthwise
    r: int8[1,1024] = npu.Reshape(d) shape=[1,1024]
    y: int8[1,96] = npu.MatMul(r, w3, b3, m, s)  # origin: product
    return y
  `);
}

const eight = layers(`
  const w1: int8[16,6,3,3] = random(1, -127, 127)
  const w2: int8[16,1,3,3] = random(2, -127, 127)
  const w3: int8[1024,96] = random(3, -127, 127)
`);
const four = layers(`
  const q1: int4[16,6,3,3] = random(1)
  const q2: int4[16,1,3,3] = random(2)
  const q3: int4[1024,96] = random(3)
  const f1: uint8[16,7] = random(4, 1, 17)
  const f3: uint8[96,8] = random(5, 1, 17)
  w1: int8[16,6,3,3] = npu.UnpackWeights(q1, f1) axis=0 block=8
  w2: int8[16,1,3,3] = npu.UnpackWeights(q2)
  w3: int8[1024,96] = npu.UnpackWeights(q3, f3) axis=1 block=128
`);
const ai4 = loadTarget("ai4");

function weightTypes({ entries }: Program): Record<string, string> {
  const linear = entries[0].commands.flatMap((command): [string, string][] => {
    if (command.kind !== "conv" && command.kind !== "matmul") return [];
    return [[command.origin[0], (command.kind === "matmul" ? command.b : command.w).dtype]];
  });
  return Object.fromEntries(linear);
}

describe("weights of 4 bits", () => {
  it("stay packed on their way to the array, but not to the vector unit", () => {
    const { program } = schedule(four, ai4);
    expect(weightTypes(program)).toEqual({ dense: "int4", depthwise: "int8", product: "int4" });
    expect(program.weightBytes).toBeLessThan(0.7 * schedule(eight, ai4).program.weightBytes);
  });

  it("are unpacked by the compiler where the target has no unpacker", () => {
    const none = loadTarget("ai4", { set: ["array.int4Storage=none"] });
    const { program } = schedule(four, none);
    expect(weightTypes(program)).toEqual({ dense: "int8", depthwise: "int8", product: "int8" });
    expect(boundOf(four, none).compulsoryBytes).toBe(boundOf(eight, none).compulsoryBytes);
    expect(boundOf(four, ai4).compulsoryBytes).toBeLessThan(0.7 * boundOf(eight, ai4).compulsoryBytes);
  });

  it("take the time and the energy that the description says", () => {
    const slow = loadTarget("ai4", { set: ["dram=4000"] });
    const fast = loadTarget("ai4", { set: ["dram=4000", "array.int4Rate=2"] });
    const cyclesOf = (graph: typeof four, target: typeof ai4) => {
      const { program } = schedule(graph, target);
      const { cycles } = timeProgram(program, target);
      expect(cycles).toBeGreaterThanOrEqual(boundOf(graph, target).floorCycles);
      return cycles;
    };
    expect(cyclesOf(four, fast)).toBeLessThan(cyclesOf(four, slow));
    expect(boundOf(four, fast).arrayCycles).toBeLessThan(boundOf(four, slow).arrayCycles);
    expect(boundOf(eight, fast).arrayCycles).toBe(boundOf(eight, slow).arrayCycles);
    const { program } = schedule(four, ai4);
    const { events, parts } = energyOf(program, timeProgram(program, ai4), ai4);
    expect(events.macsInt4).toBe(16 * 64 * 54 + 1024 * 96);
    expect(parts.macsInt4.mid).toBeGreaterThan(0);
  });
});

it("a graph that is not lowered yet costs what its formats will", () => {
  const of = (dtype: string, rate: number) => {
    const text = `input x: float32[1,1024]
      const w: ${dtype}[1024,96]{scale=0.5} = random(1, -7, 7)
      y: float32[1,96] = MatMul(x, w)
      return y`;
    return cost(parse(text), loadTarget("ai4", { set: [`array.int4Rate=${rate}`, "dram=4000"] }));
  };
  expect(of("int8", 1).dramBytes - of("int4", 1).dramBytes).toBe(512 * 96);
  expect(of("int4", 2).cycles).toBeLessThan(0.6 * of("int4", 1).cycles);
  expect(of("int8", 2)).toEqual(of("int8", 1));
});

type Linear = ConvCommand | MatMulCommand;

/** The program with its first linear command of a kind changed. */
function changed(kind: Linear["kind"], change: (command: Linear) => Partial<ConvCommand> | Partial<MatMulCommand>) {
  const { program } = schedule(four, ai4);
  let done = false;
  const commands = program.entries[0].commands.map((command): Command => {
    if (done || command.kind !== kind) return command;
    done = true;
    return { ...command, ...change(command as Linear) } as Command;
  });
  return { ...program, entries: [{ ...program.entries[0], commands }] };
}

const conv = (change: (command: ConvCommand) => Partial<ConvCommand>) =>
  changed("conv", (command) => change(command as ConvCommand));
const matmul = (change: (command: MatMulCommand) => Partial<MatMulCommand>) =>
  changed("matmul", (command) => change(command as MatMulCommand));
const multipliersOf = ({ multipliers }: Linear) => multipliers ?? expect.fail("there are no multipliers");

const DAMAGES: readonly (readonly [string, () => Program])[] = [
  ["rows that begin within a byte", () => conv(({ w }) => ({ w: { ...w, strides: [55, ...w.strides.slice(1)] } }))],
  ["rows that overlap", () => conv(({ w }) => ({ w: { ...w, strides: [52, ...w.strides.slice(1)] } }))],
  ["another order of the codes", () => conv(({ w }) => ({ w: { ...w, strides: [54, 9, 1, 3] } }))],
  ["rows beyond the memory", () => conv(({ w }) => ({ w: { ...w, strides: [2 ** 30, 9, 3, 1] } }))],
  ["columns side by side", () => matmul(({ b }) => ({ b: { ...b, strides: [b.shape[1], 1] } }))],
  ["blocks of nothing", () => conv((one) => ({ multipliers: { ...multipliersOf(one), block: 0 } }))],
  ["larger blocks", () => matmul((one) => ({ multipliers: { ...multipliersOf(one), block: 2 ** 40 } }))],
  [
    "fewer multipliers",
    () => matmul((one) => ({ multipliers: { block: 1024, values: { ...multipliersOf(one).values, shape: [1, 1] } } })),
  ],
  [
    "wide multipliers",
    () => conv((one) => ({ multipliers: { block: 54, values: { ...multipliersOf(one).values, dtype: "int32" } } })),
  ],
  ["the vector unit", () => conv(() => ({ engine: "vector", mapping: "vector" }))],
  ["multipliers of 8-bit weights", () => conv(({ w }) => ({ w: { ...w, dtype: "int8" } }))],
];

describe("a damaged program is refused by the machine and the checker", () => {
  it.each(DAMAGES)("%s", (_, damage) => {
    const program = damage();
    expect(() => createMachine(encodeProgram(program))).toThrow(CompileError);
    const { faults } = checkProgram(program, ai4);
    expect(faults.map(({ kind }) => kind)).not.toEqual([]);
  });
});
