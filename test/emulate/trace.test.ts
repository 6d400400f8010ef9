import { describe, expect, test } from "vitest";
import { contendFor, drawnRun } from "../../src/emulate/contention.ts";
import { criticalPath } from "../../src/emulate/critical-path.ts";
import { timelineOf } from "../../src/emulate/timing.ts";
import { type TraceEvent, traceOf } from "../../src/emulate/trace.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import { drawFrom } from "./cases.ts";
import { randomGraph } from "./random-graph.ts";

function sample(seed: number) {
  const draw = drawFrom(seededRandom(`trace ${seed}`));
  const target = loadTarget("ai4", { set: [draw.pick(["sram=48KiB", "sram=32MiB"]), draw.pick(["dram.GBps=100"])] });
  const { graph } = randomGraph(draw, draw.int(3, 20));
  const options = { npus: seed % 3 === 2 ? 3 : 1, sharing: "always", refined: seed % 8 === 0 } as const;
  const { program } = schedule(graph, target, options);
  const timeline = timelineOf(program, target);
  return { graph, program, target, timeline, trace: traceOf(program, timeline, target) };
}

const samples = Array.from({ length: 25 }, (_, seed) => sample(seed));

describe("a trace", () => {
  test("is sorted, every track one thing at a time, and ends with the run", () => {
    for (const { target, timeline, trace } of samples) {
      const events = trace.traceEvents.filter(({ ph }) => ph !== "M");
      for (const [at, { ts }] of events.entries()) expect(ts).toBeGreaterThanOrEqual(events[at - 1]?.ts ?? 0);
      const busy = new Map<string, number>();
      for (const { ph, pid, tid, ts, dur } of events) {
        if (ph !== "X") continue;
        const track = `${pid} ${tid}`;
        expect(ts).toBeGreaterThanOrEqual((busy.get(track) ?? 0) - 1e-9);
        busy.set(track, ts + (dur ?? 0));
      }
      const last = Math.max(0, ...events.map(({ args }) => Number(args.endCycle ?? 0)));
      expect(last).toBe(timeline.simulation.cycles);
      expect(trace.otherData.cycles).toBe(last);
      expect(Math.max(...busy.values())).toBeLessThanOrEqual(last / (target.clockGHz * 1e3) + 1e-9);
    }
  });

  test("has every command once on its engine, and once on the DRAM where it uses it, with all bytes", () => {
    for (const { timeline, trace } of samples) {
      const slices = trace.traceEvents.filter(({ ph }) => ph === "X");
      const onDram = slices.filter(({ pid, tid }) => pid === 1 && tid === 0);
      expect(slices.length - onDram.length).toBe(timeline.commands.length);
      expect(onDram).toHaveLength(timeline.costs.filter(({ dramCycles }) => dramCycles > 0).length);
      const bytes = (events: readonly TraceEvent[]) => events.reduce((sum, { args }) => sum + Number(args.busBytes), 0);
      expect(bytes(onDram)).toBe(timeline.costs.reduce((sum, { busBytes }) => sum + busBytes, 0));
    }
  });

  test("names tracks and, in the teacher's words, slices", () => {
    for (const { graph, program, trace } of samples) {
      const named = trace.traceEvents.filter(({ name }) => name === "thread_name").map(({ args }) => args.name);
      expect(named).toEqual([
        ...["DRAM", "host"],
        ...Array.from({ length: program.npus }, () => ["array", "vector", "dma-in", "dma-out"]).flat(),
      ]);
      const origins = new Set(graph.nodes.flatMap(({ origin }) => origin));
      const kinds = new Set(program.entries[0].commands.map(({ kind }) => kind as string));
      for (const { ph, name } of trace.traceEvents) {
        if (ph === "X") expect(origins.has(name.replace(/ \+\d+$/, "")) || kinds.has(name)).toBe(true);
      }
    }
  });

  test("counts SRAM between nothing and its size, and bytes of DRAM that add up", () => {
    for (const { program, target, timeline, trace } of samples) {
      const sram = trace.traceEvents.filter(({ name }) => name === "SRAM").map(({ args }) => Number(args.bytes));
      if (program.plan[0].buffers.length > 0) expect(sram.at(-1)).toBe(0);
      expect(Math.min(0, ...sram)).toBe(0);
      expect(Math.max(0, ...sram)).toBeLessThanOrEqual(target.sram.bytes);
      const rates = trace.traceEvents.filter(({ ph, name }) => ph === "C" && name === "DRAM");
      const width = rates.length > 1 ? rates[1].ts - rates[0].ts : 0;
      const moved = rates.reduce((sum, { args }) => sum + Number(args.GBps) * width * 1e3, 0);
      const asked = timeline.costs.reduce((sum, { busBytes }) => sum + busBytes, 0);
      expect(Math.abs(moved - asked)).toBeLessThanOrEqual(0.02 * asked + 0.01 * rates.length * width * 1e3);
      for (const { args } of rates) expect(Number(args.GBps)).toBeLessThanOrEqual(target.dram.GBps);
    }
  });
});

test("a run among others says what it lost to whom", () => {
  let [refresh, others, slots] = [0, 0, 0];
  for (const [seed, { program, target, timeline }] of samples.entries()) {
    const replay = drawnRun(timeline, target, 1 + (seed % 5), { seed, profile: "driving" });
    const { drawn } = contendFor(timeline, target, { seed, runs: 5 });
    expect(Math.ceil(replay.cycles)).toBe(drawn[seed % 5]);
    const { traceEvents, otherData } = traceOf(program, timeline, target, replay);
    expect(otherData.cycles).toBe(replay.cycles);
    const busy = new Map<string, number>();
    for (const { ph, pid, tid, ts, dur, args } of traceEvents) {
      if (ph !== "X") continue;
      expect(ts).toBeGreaterThanOrEqual((busy.get(`${pid} ${tid}`) ?? 0) - 1e-9);
      busy.set(`${pid} ${tid}`, ts + (dur ?? 0));
      refresh += Number(args.lostToRefresh ?? 0);
      others += Number(args.lostToOthers ?? 0);
      slots += Number(args.lostToSlots ?? 0);
    }
    for (const [id, { start, released }] of replay.times.entries()) {
      const { served, ...lost } = replay.delays[id];
      if (served > 0) expect(released - start).toBeGreaterThanOrEqual(lost.refresh + lost.others + lost.slots - 1e-6);
    }
    const steps = criticalPath(replay);
    for (const [at, { from }] of steps.entries()) if (at > 0) expect(steps[at - 1].to).toBe(from);
    expect(steps[0]?.from ?? 0).toBe(0);
  }
  expect(Math.min(refresh, others, slots)).toBeGreaterThan(0);
});

test("the critical path leads from the start to the end without a gap", () => {
  for (const { timeline } of samples) {
    const steps = criticalPath(timeline.simulation);
    expect(steps[0]?.from ?? 0).toBe(0);
    for (const [at, { from }] of steps.entries()) if (at > 0) expect(steps[at - 1].to).toBe(from);
    expect(steps.at(-1)?.to ?? 0).toBe(timeline.simulation.cycles);
  }
});
