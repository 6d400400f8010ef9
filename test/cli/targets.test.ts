import { describe, expect, it } from "vitest";
import { Network } from "../../bench/backend/builder.ts";
import { formatTarget, formatValue } from "../../src/cli/target-figures.ts";
import { figuresOf } from "../../src/sweep.ts";
import { listTargets, loadTarget } from "../../src/target/load.ts";
import { optimus } from "./command.ts";

describe("targets show", () => {
  it.each(listTargets())("prints every figure of %s with its origin, in lines that fit", (name) => {
    const { figures } = loadTarget(name);
    const page = formatTarget(figures, 110);
    const words = page.replace(/\s+/g, " ");
    for (const { path, source, assumed } of figures) {
      expect(page).toContain(`  ${path.slice(path.lastIndexOf(".") + 1)} `);
      expect(words).toContain(
        (source === undefined ? `assumed: ${assumed}` : `source: ${source}`).replace(/\s+/g, " "),
      );
    }
    expect(page.split("\n").filter((line) => line.length > 110)).toEqual([]);
  });

  it.each([
    ["array.rows", 96, "96"],
    ["sram.bytes", 33_554_432, "32.0 MiB"],
    ["sram.readBytesPerCycle", 384, "384 B/cycle"],
    ["dram.GBps", 68.3, "68.3 GB/s"],
    ["energy.macInt8", { low: 0.05, mid: 0.1, high: 0.2 }, "0.05 · 0.1 · 0.2"],
    ["array.depthwise", ["column", "vector"], "column, vector"],
    ["array.packing", { taps: 4, channels: 8 }, "taps 4, channels 8"],
    ["lacks", [], "none"],
  ])("%s is written for people", (path, value, text) => {
    expect(formatValue(path, value)).toBe(text);
  });
});

describe("targets sweep", () => {
  const net = new Network("sweep");
  const x = net.conv(net.input("x", [1, 8, 64, 64]), 64, 3);
  const graph = net.finish([net.conv(net.conv(x, 64, 3), 64, 3)]);
  const of = (...set: string[]) => figuresOf(graph, loadTarget("ai4", { set }), "driving");

  it("shows what a variant changes", () => {
    const base = of().figures;
    const starved = of("dram.GBps=2").figures;
    const small = of("sram=128KiB").figures;
    if (!base || !starved || !small) throw new Error("a variant was refused");
    expect(base.bound).toBe("array");
    expect(starved.bound).toBe("DRAM");
    expect(starved.cycles).toBeGreaterThan(base.cycles);
    expect(starved.floorCycles).toBeLessThanOrEqual(starved.cycles);
    expect(small.dramBytes).toBeGreaterThan(base.dramBytes);
    expect(small.sramPeakBytes).toBeLessThanOrEqual(128 * 1024);
    expect(base.mJ.low).toBeLessThan(base.mJ.high);
  });

  it("a variant that the network does not fit is a row, not an end", () => {
    expect(of("sram=256").refused).toMatchObject({ code: expect.stringMatching(/^model\//) });
  });

  it("a mistyped setting is told before anything long begins", async () => {
    const { code, stderr } = await optimus([
      "targets",
      "sweep",
      "ai4",
      "recipes/quickstart.yaml",
      "--set",
      "sramm=1MiB",
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/usage\/bad-override/);
  });

  it("other integers are another network", async () => {
    const { code, stderr } = await optimus([
      ...["targets", "sweep", "ai4", "recipes/quickstart.yaml"],
      ...["--set", "round=tosa-double"],
    ]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/build twice/);
  });
});
