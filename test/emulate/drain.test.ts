import { expect, test } from "vitest";
import { withDrains } from "../../src/emulate/drain.ts";
import type { Command, ConvCommand, Operand } from "../../src/schedule/program.ts";
import { loadTarget } from "../../src/target/load.ts";

const target = loadTarget("ai4");

function operand(address: number, shape: readonly number[], dtype: Operand["dtype"] = "int8"): Operand {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  return { space: "sram", address, dtype, shape, strides };
}

/** A pointwise convolution of 96 pixels: one tile a 96 channels. */
function conv(from: number, to: number, inputs: number, outputs: number): ConvCommand {
  const constant = operand(90_000, [1], "int32");
  return {
    kind: "conv",
    engine: "array",
    npu: 0,
    waits: [],
    origin: [],
    x: operand(from, [1, inputs, 1, 96]),
    w: operand(70_000, [outputs, inputs, 1, 1]),
    y: operand(to, [1, outputs, 1, 96]),
    xZero: 0,
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    groups: 1,
    mapping: "dense",
    block: 1,
    post: { multiplier: constant, shift: constant, round: "tosa-single", wide: false, yZero: 0, yMin: -128, yMax: 127 },
  };
}

function drains(...commands: readonly Command[]) {
  const works = commands.map(() => ({ cycles: 1000, dramCycles: 0, latency: 0 }));
  const drained = withDrains(commands, works, target);
  return drained.works.map(({ cycles, latency }, id) => [cycles, latency, drained.commands[id].waits]);
}

test("the codes of a command come when its last tile has drained", () => {
  expect(drains(conv(0, 40_000, 64, 96))).toEqual([[1000, 64, []]]);
  expect(drains(conv(0, 40_000, 200, 96))).toEqual([[1000, 96, []]]);
  expect(drains(conv(0, 40_000, 200, 96 + 10))).toEqual([[1000, 10, []]]);
});

test("the next command hides the drain, as far as its own reduction reaches", () => {
  const first = conv(0, 40_000, 200, 96);
  expect(drains(first, conv(20_000, 50_000, 96, 1))).toEqual([
    [1000, 96, []],
    [1000, 1, []],
  ]);
  expect(drains(first, conv(20_000, 50_000, 60, 1))[1]).toEqual([1000 + 36, 1, []]);
});

test("a command that reads what is on its way waits for it; one on another NPU does not", () => {
  const first = conv(0, 40_000, 200, 96);
  const reader = conv(40_000 + 95 * 96, 50_000, 60, 1);
  expect(drains(first, reader)[1]).toEqual([1000, 1, [0]]);
  expect(drains(first, { ...reader, npu: 1 })[1]).toEqual([1000, 1, []]);
  const weights = { ...reader, x: operand(0, [1, 60, 1, 96]), w: operand(40_000, [1, 60, 1, 1]) };
  expect(drains(first, weights)[1]).toEqual([1000, 1, [0]]);
});
