import { describe, expect, it } from "vitest";
import { Network } from "../../bench/backend/builder.ts";
import { NVDLA_TABLE, nvdlaTarget } from "../../scripts/nvdla.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { parseTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";

function cyclesOn(graph: Graph, target: Target): number {
  return timeProgram(schedule(graph, target).program, target).cycles;
}

describe("NVDLA's configurations", () => {
  it("have the published atomics, and as many multipliers as their name says", () => {
    const found = NVDLA_TABLE.map((one) => {
      const { array } = parseTarget(nvdlaTarget(one), "nvdla");
      expect(array.rows * array.columns * array.inputs).toBe(one.macs);
      return [one.macs, array.inputs, array.columns];
    });
    // spec/defs of the vendor's repository: nv_large, nv_medium_1024, nv_medium_512, nv_small_256, nv_small.
    for (const row of [
      [2048, 64, 32],
      [1024, 64, 16],
      [512, 32, 16],
      [256, 32, 8],
      [64, 8, 8],
    ]) {
      expect(found).toContainEqual(row);
    }
  });

  it("with more multipliers, buffer or bandwidth are never slower (ResNet-50 and all rows: npm run acceptance -- targets)", () => {
    const net = new Network("steps");
    const x = net.conv(net.input("x", [1, 3, 32, 32]), 48, 5, { stride: 2 });
    const y = net.sum(net.conv(net.conv(x, 64, 3), 48, 3), x);
    const graph = net.finish([net.linear(net.reshape(net.mean(y), [1, 48]), 100)]);
    const known = new Map<string, number>();
    const cyclesAt = (macs: number, kib: number, GBps: number) => {
      const key = `${macs} ${kib} ${GBps}`;
      const text = () => nvdlaTarget({ macs, bufferBytes: kib * 1024, GBps });
      known.set(key, known.get(key) ?? cyclesOn(graph, parseTarget(text(), "nvdla")));
      return known.get(key) as number;
    };
    for (const macs of [96, 384]) {
      for (const kib of [40, 80]) {
        for (const GBps of [0.7, 7]) {
          const here = cyclesAt(macs, kib, GBps);
          expect(cyclesAt(384, kib, GBps)).toBeLessThanOrEqual(here);
          expect(cyclesAt(macs, 80, GBps)).toBeLessThanOrEqual(here);
          expect(cyclesAt(macs, kib, 7)).toBeLessThanOrEqual(here);
        }
      }
    }
  });

  it("send every result to DRAM", () => {
    const net = new Network("chain");
    const x = net.conv(net.conv(net.input("x", [1, 32, 16, 16]), 32, 3), 32, 3);
    const target = parseTarget(nvdlaTarget({ macs: 512, bufferBytes: 512 * 1024, GBps: 10 }), "nvdla");
    const bytes = (graph: Graph) => timeProgram(schedule(graph, target).program, target).dramBytes;
    // Input, the tensor between, written and read, and the output; 32 · 16 · 16 bytes each.
    expect(bytes(net.finish([x]))).toBeGreaterThanOrEqual(4 * 8192);
  });
});
