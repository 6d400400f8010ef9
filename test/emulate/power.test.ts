import { describe, expect, test } from "vitest";
import { Network } from "../../bench/backend/builder.ts";
import { energyOf } from "../../src/emulate/energy.ts";
import { atClock, operate } from "../../src/emulate/power.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";

/** Convolutions that keep the array busy. */
function network(): Graph {
  const net = new Network("power");
  let x = net.conv(net.input("x", [1, 3, 128, 128]), 64, 3, { stride: 2 });
  for (let block = 0; block < 4; block++) x = net.sum(net.conv(x, 64, 3), x);
  return net.finish([net.pool(x, "MaxPool", 2, 2, 0)]);
}

const { program } = schedule(network(), loadTarget("ai4"));
const under = (profile: string, ...set: string[]) => operate(program, loadTarget("ai4", { set }), { profile });

describe("energy", () => {
  const target = loadTarget("ai4");
  const timing = timeProgram(program, target);

  test("is the events times the picojoules, and leakage", () => {
    const { mJ, parts, events } = energyOf(program, timing, target);
    expect(events.macs).toBe(timing.macs);
    expect(parts.macs.mid).toBeCloseTo(timing.macs * 0.1e-9, 12);
    expect(parts.dram.high).toBeCloseTo(timing.dramBusBytes * 60e-9, 12);
    expect(parts.leakage.low).toBeCloseTo(timing.ms, 12);
    expect(mJ.mid).toBeCloseTo(
      Object.values(parts).reduce((sum, { mid }) => sum + mid, 0),
      12,
    );
  });

  test("follows V² in the chip, not in the DRAM", () => {
    const slow = atClock(target, 1.6);
    const { parts } = energyOf(program, timeProgram(program, slow), slow);
    const fast = energyOf(program, timing, target).parts;
    expect(parts.macs.mid / fast.macs.mid).toBeCloseTo((0.74 / 0.92) ** 2, 9);
    expect(parts.vector.mid / fast.vector.mid).toBeCloseTo((0.74 / 0.92) ** 2, 9);
    expect(parts.dram.mid).toBe(fast.dram.mid);
  });

  test("with the board's share: redundant SoCs share nothing, independent ones share the idle power", () => {
    const twice = under("driving").power;
    const { energy, timing: run } = under("driving");
    const dynamic = energy.mJ.mid - energy.parts.leakage.mid;
    expect(twice.boardMJ.mid).toBeCloseTo(2 * dynamic + 80 * run.ms, 9);
    const apart = under("parked-charging", "profiles.parked-charging.powerCapWatts=160").power;
    expect(apart.boardMJ.mid).toBeCloseTo(dynamic + 40 * run.ms, 9);
    expect(apart.inferencesPerSecond).toBeCloseTo(2 * twice.inferencesPerSecond, 6);
    expect(apart.vehicleMJ?.mid).toBeGreaterThan(apart.boardMJ.mid);
  });
});

describe("a power cap", () => {
  test("that is not reached changes nothing", () => {
    const { power, timing } = under("driving");
    expect(power.note).toBeUndefined();
    expect(power.clockGHz).toBe(2.2);
    expect(power.boardWatts.mid).toBeLessThan(power.capWatts);
    expect(timing).toEqual(timeProgram(program, loadTarget("ai4")));
  });

  test("lowers the clock no further than it must, and says so", () => {
    const free = under("driving").power.boardWatts.mid;
    const cap = 80 + (free - 80) * 0.6;
    const { power, timing } = under("parked-charging", `profiles.parked-charging.powerCapWatts=${cap}`);
    expect(power.clockGHz).toBeLessThan(2.2);
    expect(power.boardWatts.mid).toBeLessThanOrEqual(cap);
    expect(power.note).toMatch(/^the cap of .* W lowers the clock from 2.2 to [\d.]+ GHz$/);
    expect(timing.ms).toBeGreaterThan(under("driving").timing.ms);
    const faster = atClock(loadTarget("ai4"), power.clockGHz + 0.05);
    const run = timeProgram(program, faster);
    const { mJ, parts } = energyOf(program, run, faster);
    expect(80 + (2 * (mJ.mid - parts.leakage.mid)) / run.ms).toBeGreaterThan(cap);
  });

  test("that the slowest clock exceeds makes runs wait", () => {
    const { power } = under("parked-charging", "profiles.parked-charging.powerCapWatts=80.5");
    expect(power.clockGHz).toBe(0.8);
    expect(power.dutyShare).toBeLessThan(1);
    expect(power.boardWatts.mid).toBeCloseTo(80.5, 9);
    expect(power.note).toMatch(/runs only [\d.]+ % of the time/);
  });

  test("below what the board draws without work is refused", () => {
    expect(() => under("parked-charging", "profiles.parked-charging.powerCapWatts=80")).toThrow(/without work/);
  });
});
