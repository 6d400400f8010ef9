import { describe, expect, test } from "vitest";
import { fixOrder, rowsOf } from "../../src/emulate/contention/fixed-order.ts";
import { type Interference, interferenceOf } from "../../src/emulate/contention/interference.ts";
import { createReplay } from "../../src/emulate/contention/replay.ts";
import { createWorld } from "../../src/emulate/contention/world.ts";
import { worstCaseOf } from "../../src/emulate/contention/worst-case.ts";
import { contend, drawScenario } from "../../src/emulate/contention.ts";
import { timelineOf } from "../../src/emulate/timing.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { listTargets, loadTarget } from "../../src/target/load.ts";
import { attack } from "./attack.ts";
import { drawFrom } from "./cases.ts";
import { randomGraph } from "./random-graph.ts";

const QUIET = { refreshPhase: 0, slotPhase: 0, others: { times: new Float64Array() } };

function sample(seed: string, set: readonly string[], npus = 1) {
  const draw = drawFrom(seededRandom(seed));
  const target = loadTarget("ai4", { set });
  const options = { npus, sharing: "always", refined: false } as const;
  const { program } = schedule(randomGraph(draw, draw.int(3, 14)).graph, target, options);
  const timeline = timelineOf(program, target);
  const interference = interferenceOf(target, "driving");
  return { program, target, timeline, interference, fixed: fixOrder(timeline, interference) };
}

test.each(listTargets())("%s: what the DRAM loses explains its sustained share", (name) => {
  const { timing, sustained, GBps } = loadTarget(name).dram;
  if (timing === undefined) return;
  const row = timing.rowBytes / GBps;
  const follows = (1 - timing.refreshNs / timing.refreshIntervalNs) * (row / (row + timing.rowMissNs));
  expect(Math.abs(follows - sustained)).toBeLessThan(0.005);
});

test("rows of a view: once a row of a stream, once a run of far strides", () => {
  const view = { space: "dram", dtype: "int8", address: 0, shape: [4, 1024], strides: [1024, 1] } as const;
  expect(rowsOf(view, 2048)).toBe(2);
  expect(rowsOf({ ...view, address: 2047 }, 2048)).toBe(3);
  expect(rowsOf({ ...view, strides: [65_536, 1] }, 2048)).toBe(4);
  expect(rowsOf({ ...view, strides: [0, 1] }, 2048)).toBe(1);
});

describe("the rest of the chip", () => {
  test("keeps its regulator over every stretch, however it was drawn", () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = seededRandom(`world ${seed}`);
      const interference: Interference = {
        refresh: { interval: 1000, duration: seed % 2 === 0 ? 60 : 0 },
        others: { share: 0.05 + 0.5 * random(), burst: 500 + 2000 * random(), grain: 50 + 300 * random() },
        slots: { period: 1, length: 0 },
        ...{ turnaround: 0, rowMiss: 0, rowBytes: 1024 },
      };
      const { refresh, others } = interference;
      const world = createWorld(interference, drawScenario(interference, 30_000, random));
      // Our pieces are short, so that what was taken in a stretch is what lies between their beginning and their end.
      const pieces: { from: number; to: number; own: number }[] = [];
      for (let time = 0; time < 30_000; ) {
        const own = 1 + 20 * random();
        const to = world.serve(time, own, 0);
        pieces.push({ from: time, to, own });
        time = to;
      }
      let excess = Number.NEGATIVE_INFINITY;
      for (let begin = 0; begin < pieces.length; begin += 7) {
        let own = 0;
        for (const { to, own: more } of pieces.slice(begin, begin + 300)) {
          own += more;
          const stretch = to - pieces[begin].from;
          const refreshed = (Math.floor(stretch / refresh.interval) + 1) * refresh.duration;
          excess = Math.max(excess, stretch - own - others.burst - others.share * stretch - refreshed);
        }
      }
      expect(excess).toBeLessThanOrEqual(1e-6);
    }
  });

  test("a slot halts the work, and only while it lasts", () => {
    const interference = { ...NOBODY, slots: { period: 100, length: 25 } };
    const world = createWorld(interference, { ...QUIET, slotPhase: 10 });
    expect(world.work(0, 10)).toBe(10);
    expect(world.work(0, 11)).toBe(36);
    expect(world.work(20, 75)).toBe(110);
    expect(world.work(20, 76)).toBe(136);
    expect(world.work(35, 300)).toBe(410);
    expect(world.serve(0, 85, 0)).toBe(110);
    expect(world.serve(110, 1, 1)).toBe(136);
  });
});

const NOBODY: Interference = {
  refresh: { interval: 1, duration: 0 },
  others: { share: 0, burst: 0, grain: 0 },
  slots: { period: 1, length: 0 },
  ...{ turnaround: 0, rowMiss: 0, rowBytes: Number.POSITIVE_INFINITY },
};

describe("runs of fixed order", () => {
  test("without others are the nominal run, and its worst case", () => {
    for (let seed = 0; seed < 10; seed++) {
      const { timeline } = sample(`alone ${seed}`, ["dram.GBps=20", "sram=256KiB"]);
      const fixed = fixOrder(timeline, NOBODY);
      expect(createReplay(fixed, NOBODY)(QUIET)).toBe(timeline.simulation.cycles);
      expect(worstCaseOf(fixed, NOBODY).cycles).toBeLessThanOrEqual(Math.ceil(timeline.simulation.cycles * 1.000001));
    }
  });

  test("end no earlier when a command takes longer", () => {
    for (let seed = 0; seed < 20; seed++) {
      const { fixed, interference } = sample(`monotone ${seed}`, ["dram.GBps=20", "sram=256KiB"]);
      const random = seededRandom(seed);
      const scenario = drawScenario(interference, 1e6, random);
      const before = createReplay(fixed, interference)(scenario);
      const cycles = fixed.cycles.map((own) => own + (own > 0 && random() < 0.2 ? Math.floor(2000 * random()) : 0));
      expect(createReplay({ ...fixed, cycles }, interference)(scenario)).toBeGreaterThanOrEqual(before - 1e-6);
      const demand = fixed.demand.map((own) => own * (random() < 0.2 ? 2 : 1));
      const worse = worstCaseOf({ ...fixed, demand }, interference).cycles;
      expect(worse).toBeGreaterThanOrEqual(worstCaseOf(fixed, interference).cycles);
    }
  });

  test("are the same for the same seed, in order, and between the run alone and the worst case", () => {
    const { program, target } = sample("seeded", ["dram.GBps=40"]);
    const found = contend(program, target, { seed: 7, runs: 100 });
    expect(contend(program, target, { seed: 7, runs: 100 })).toEqual(found);
    const { medianCycles, p99Cycles, longestCycles, worstCaseCycles } = found;
    expect(medianCycles).toBeLessThanOrEqual(p99Cycles);
    expect(p99Cycles).toBeLessThanOrEqual(longestCycles);
    expect(longestCycles).toBeLessThanOrEqual(worstCaseCycles ?? 0);
    expect(found.assumptions.join("\n")).toContain("262144 B + 30 GB/s");
    expect(contend(program, target, { profile: "parked-charging" }).worstCaseCycles).toBeLessThan(worstCaseCycles ?? 0);
  });

  test("have no worst case where others may take the whole DRAM", () => {
    const { program, target } = sample("hopeless", ["dram.GBps=30"]);
    expect(contend(program, target, { runs: 5 }).worstCaseCycles).toBeUndefined();
  });
});

const NO_SLOTS = "profiles.driving.slots.share=0.0000001";

describe("the worst case", () => {
  test.each([
    ["as described", []],
    ["little SRAM and bandwidth", ["sram=64KiB", "dram.GBps=60"]],
    ["without slots", [NO_SLOTS, "sram=64KiB", "dram.GBps=60"]],
    ["large bursts", [NO_SLOTS, "profiles.driving.otherClients.burstBytes=4MiB", "dram.GBps=80"]],
    ["long refreshes", [NO_SLOTS, "dram.timing.refreshNs=600", "profiles.driving.otherClients.GBps=10"]],
    ["an engine slower than the DRAM", [NO_SLOTS, "dma.bytesPerCycle=20"]],
    ["slots as long as a frame", ["profiles.driving.slots.periodMs=0.05", "profiles.driving.slots.share=0.6"]],
  ])("%s: is never exceeded and not far away", (_, set) => {
    for (let seed = 0; seed < 12; seed++) {
      const { fixed, interference } = sample(`attack ${seed}`, set, seed % 4 === 3 ? 3 : 1);
      const bound = worstCaseOf(fixed, interference).cycles;
      const { worst } = attack(fixed, interference, 300, seed);
      expect(worst).toBeLessThanOrEqual(bound);
      expect(bound / worst).toBeLessThanOrEqual(1.3);
    }
  });
});

/** Bounds that forget something: were the attack too weak to notice, it would say nothing of the bound either. */
describe("the attack exceeds a bound that forgets", () => {
  const without = (part: Partial<Interference>) => (interference: Interference) => ({ ...interference, ...part });
  test.each([
    ["refreshes", without({ refresh: { interval: 1, duration: 0 } })],
    ["other clients", without({ others: { share: 0, burst: 0, grain: 0 } })],
    ["slots", without({ slots: { period: 1, length: 0 } })],
    [
      "a tenth of a burst",
      (from: Interference) => ({ ...from, others: { ...from.others, burst: 0.9 * from.others.burst } }),
    ],
    [
      "a tenth of the rate",
      (from: Interference) => ({ ...from, others: { ...from.others, share: 0.9 * from.others.share } }),
    ],
    ["turnarounds and rows", undefined],
  ])("%s", (what, forget) => {
    const exceeded = [0, 1, 2, 3, 4, 5].some((seed) => {
      const slow = ["dram.timing.turnaroundNs=150", "dram.timing.rowMissNs=60", "profiles.driving.otherClients.GBps=1"];
      const more = what === "slots" ? [] : [NO_SLOTS, ...(forget === undefined ? slow : [])];
      const set = ["sram=64KiB", "dram.GBps=60", ...more];
      const { timeline, fixed, interference } = sample(`attack ${seed}`, set);
      const { worst } = attack(fixed, interference, 300, seed);
      const blind = forget?.(interference) ?? interference;
      const plain = fixOrder(timeline, { ...interference, turnaround: 0, rowMiss: 0 });
      return worst > worstCaseOf(forget === undefined ? plain : fixed, blind).cycles;
    });
    expect(exceeded).toBe(true);
  });
});
