import { describe, expect, it } from "vitest";
import { Network } from "../../bench/backend/builder.ts";
import { peerChip, runOn } from "../../bench/peers/compare.ts";
import { convMappings, engineCycles, peakMacs } from "../../src/emulate/cycles.ts";
import type { CommandBody, Operand } from "../../src/schedule/program.ts";
import { listTargets, loadTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";

function operand(shape: readonly number[]): Operand {
  return { space: "sram", address: 0, dtype: "int8", shape, strides: shape.map(() => 1) };
}

/** A convolution of `channels` inputs to `filters` outputs on `size` × `size` pixels, same size out. */
function conv(channels: number, filters: number, size: number, kernel: number, groups = 1) {
  const anywhere = operand([1]);
  const numbers = { wide: false, yZero: 0, yMin: 0, yMax: 0 };
  return {
    x: operand([1, channels, size, size]),
    w: operand([filters, channels / groups, kernel, kernel]),
    y: operand([1, filters, size, size]),
    strides: [1, 1] as const,
    dilations: [1, 1] as const,
    groups,
    post: { multiplier: anywhere, shift: anywhere, round: "tosa-single" as const, ...numbers },
  };
}

const cycles = (layer: ReturnType<typeof conv>, target: Target): number => convMappings(layer, target)[0].cycles;

describe("the array, by its description", () => {
  it.each([
    ["ai4", 96 * 96],
    ["nvdla-2048", 2048],
    ["nvdla-64", 64],
    ["ethos-u55-256", 256],
  ])("%s multiplies %i pairs a cycle at most", (name, macs) => {
    expect(peakMacs(loadTarget(name))).toBe(macs);
  });

  it.each(listTargets())("%s is never faster than its multipliers", (name) => {
    const target = loadTarget(name);
    for (const [channels, filters, size, kernel] of [
      [3, 64, 112, 7],
      [64, 64, 56, 3],
      [256, 512, 7, 1],
      [17, 33, 13, 5],
    ]) {
      const layer = conv(channels, filters, size, kernel);
      const macs = size * size * filters * channels * kernel * kernel;
      expect(cycles(layer, target)).toBeGreaterThanOrEqual(macs / peakMacs(target));
    }
  });

  it("channels of the reduction share a step, and few of them a row of the kernel", () => {
    const target = loadTarget("nvdla-2048");
    // 64 inputs in one step, 32 filters at once: a step for each of 9 taps and 3136 pixels.
    expect(cycles(conv(64, 32, 56, 3), target)).toBe(9 * 3136);
    expect(cycles(conv(65, 32, 56, 3), target)).toBe(2 * 9 * 3136);
    // 3 channels × 7 taps of a row fit 64 lanes: 7 steps instead of 49.
    expect(cycles(conv(3, 32, 56, 7), target)).toBe(7 * 3136);
    expect(cycles(conv(8, 32, 56, 7), target)).toBe(49 * 3136);
  });

  it("a load of weights hides behind the pixels that it serves, if there are enough", () => {
    const target = loadTarget("nvdla-2048");
    // 16 cycles a load; a single pixel waits for all of it.
    expect(cycles(conv(64, 32, 1, 1), target)).toBe(16);
    expect(cycles(conv(64, 32, 4, 1), target)).toBe(Math.max(16, 16 * 2));
  });

  it("a rectangle of pixels ends at the image's edge", () => {
    const chip = peerChip("zigzag-tesla-like");
    // 7 × 7 outputs: 1 × 2 rectangles of 8 × 4.
    expect(cycles(conv(512, 32, 7, 3), chip)).toBe(2 * 512 * 9);
    expect(cycles(conv(512, 32, 8, 3), chip)).toBe(2 * 512 * 9);
  });

  it("skew is paid by every tile, a drain that is not hidden too", () => {
    const chip = peerChip("scalesim-96x96");
    expect(cycles(conv(64, 96, 24, 3), chip)).toBe(6 * (576 + 190));
    const open = { ...chip, array: { ...chip.array, drainHidden: false, drainColumnsPerCycle: 1 } };
    expect(cycles(conv(64, 96, 24, 3), open)).toBe(6 * (576 + 96 + 190));
  });

  it("a depthwise layer has the mappings that the chip has", () => {
    const mappings = (name: string) =>
      convMappings(conv(64, 64, 28, 3, 64), loadTarget(name)).map(({ mapping }) => mapping);
    expect(mappings("ai4")).toEqual(["column", "toeplitz", "vector"]);
    expect(mappings("nvdla-256")).toEqual(["column"]);
    // A channel a column: 8 groups of columns and 3 rows of the kernel, for 196 blocks of 2 × 2 pixels in steps of 4 cycles: three
    // loads of weights for 64 blocks each, and one for 4, which takes the 32 cycles of the load.
    expect(cycles(conv(64, 64, 28, 3, 64), loadTarget("ethos-u55-256"))).toBe(8 * 3 * (3 * 64 * 4 + 32));
  });

  it("better figures never cost cycles", () => {
    const target = loadTarget("nvdla-256");
    const better: [keyof Target["array"], number][] = [
      ["columns", 16],
      ["inputs", 64],
      ["weightPortBytes", 512],
      ["activationPortBytes", 512],
      ["weightHold", 64],
      ["drainColumnsPerCycle", 32],
    ];
    for (const [name, value] of better) {
      const ports = name === "inputs" || name === "columns" ? { activationPortBytes: 64, weightPortBytes: 512 } : {};
      const changed = { ...target, array: { ...target.array, ...ports, [name]: value } } as Target;
      for (const layer of [conv(64, 64, 14, 3), conv(3, 48, 30, 7), conv(100, 24, 9, 1)]) {
        expect(cycles(layer, changed)).toBeLessThanOrEqual(cycles(layer, target));
      }
    }
  });

  it("no command is faster than the SRAM's ports", () => {
    const y = operand([1, 64, 32, 32]);
    const add: CommandBody = {
      ...{ kind: "eltwise", engine: "vector", operation: "add", a: y, b: y, y },
      ...{ aZero: 0, bZero: 0, aMultiplier: 1, bMultiplier: 1 },
    };
    const target = loadTarget("ai4", { set: ["sram.readBytesPerCycle=16", "sram.writeBytesPerCycle=128"] });
    expect(engineCycles(add, target)).toBe((2 * 65_536) / 16);
    expect(engineCycles(add, loadTarget("ai4"))).toBe((2 * 65_536) / 128);
  });
});

describe("SCALE-Sim, by its description", () => {
  it("takes its cycles, but for one a layer", () => {
    const net = new Network("conv2");
    const graph = net.finish([net.conv(net.input("x", [1, 64, 56, 56]), 64, 3, { pad: 0 })]);
    // SCALE-Sim 3.0.0 says 23,745 for Conv2_1a of its ResNet-18.
    expect([...runOn(graph, peerChip("scalesim-96x96")).layers.values()][0].array).toBe(23_746);
  });
});
