import { describe, expect, test } from "vitest";
import { type CommandTime, flowOf, simulate, type Work } from "../../src/emulate/simulate.ts";
import { seededRandom } from "../../src/ir/random.ts";
import type { Command, Engine } from "../../src/schedule/program.ts";

interface Given extends Partial<Work> {
  readonly engine: Engine;
  readonly npu?: number;
  readonly waits?: readonly number[];
}

function commandOf({ engine, npu = 0, waits = [] }: Given): Command {
  return { kind: "stop", engine, npu, waits, origin: [] };
}

function workOf({ cycles = 0, dramCycles = 0, latency = 0 }: Given): Work {
  return { cycles: Math.max(cycles, dramCycles), dramCycles, latency };
}

function run(given: readonly Given[]) {
  return simulate(flowOf(given.map(commandOf), given.map(workOf)));
}

/** The meaning, slowly: looks at the head of every queue for the one that can begin first. */
function obvious(given: readonly Given[]): Pick<CommandTime, "start" | "end">[] {
  const queues = new Map<string, number[]>();
  for (const [id, { engine, npu = 0 }] of given.entries()) {
    const queue = engine === "cpu" ? "cpu" : `${engine} ${npu}`;
    queues.set(queue, [...(queues.get(queue) ?? []), id]);
  }
  const times: { start: number; end: number }[] = [];
  const free = new Map<string, number>();
  let dram = 0;
  for (let done = 0; done < given.length; done++) {
    let best: { queue: string; id: number; start: number } | undefined;
    for (const [queue, [id]] of queues) {
      const waits = given[id]?.waits ?? [];
      if (id === undefined || waits.some((wait) => times[wait] === undefined)) continue;
      let start = Math.max(free.get(queue) ?? 0, ...waits.map((wait) => times[wait].end));
      if ((given[id].dramCycles ?? 0) > 0) start = Math.max(start, dram);
      if (!best || start < best.start || (start === best.start && id < best.id)) best = { queue, id, start };
    }
    if (best === undefined) throw new Error("stuck");
    const { cycles, dramCycles, latency } = workOf(given[best.id]);
    if (dramCycles > 0) dram = best.start + dramCycles;
    free.set(best.queue, best.start + cycles);
    times[best.id] = { start: best.start, end: best.start + cycles + latency };
    queues.get(best.queue)?.shift();
  }
  return times;
}

describe("commands in time", () => {
  test("NPUs work side by side, share the DRAM, and have one host", () => {
    const { times, cycles } = run([
      { engine: "dma-in", npu: 0, dramCycles: 10, latency: 5 },
      { engine: "dma-in", npu: 1, dramCycles: 10, latency: 5 },
      { engine: "array", npu: 0, cycles: 100, waits: [0] },
      { engine: "array", npu: 1, cycles: 100, waits: [1] },
      { engine: "cpu", npu: 0, cycles: 7, waits: [2] },
      { engine: "cpu", npu: 1, cycles: 7, waits: [2, 3] },
    ]);
    expect(times.map(({ start, end }) => [start, end])).toEqual([
      ...[
        [0, 15],
        [10, 25],
        [15, 115],
      ],
      ...[
        [25, 125],
        [115, 122],
        [125, 132],
      ],
    ]); // prettier-ignore
    expect(times.map(({ reason, waitedFor }) => [reason, waitedFor])).toEqual([
      ...[
        ["start", undefined],
        ["dram", 0],
        ["wait", 0],
      ],
      ...[
        ["wait", 1],
        ["wait", 2],
        ["wait", 3],
      ],
    ]); // prettier-ignore
    expect(cycles).toBe(132);
  });

  test("an engine that is slower than the DRAM leaves it to others meanwhile", () => {
    const { times } = run([
      { engine: "dma-in", npu: 0, dramCycles: 10, cycles: 30 },
      { engine: "dma-in", npu: 0, dramCycles: 10, cycles: 30 },
      { engine: "dma-in", npu: 1, dramCycles: 10, cycles: 30 },
    ]);
    expect(times.map(({ start, released }) => [start, released])).toEqual([
      ...[
        [0, 30],
        [30, 60],
        [10, 40],
      ],
    ]); // prettier-ignore
    expect(times[1].reason).toBe("engine");
  });

  test("as the obvious way has it, on random programs of three NPUs", () => {
    const engines: readonly Engine[] = ["array", "vector", "dma-in", "dma-out", "cpu"];
    for (let seed = 0; seed < 60; seed++) {
      const random = seededRandom(seed);
      const int = (limit: number) => Math.floor(limit * random());
      const given = Array.from({ length: 5 + int(120) }, (_, id): Given => {
        const engine = engines[int(engines.length)];
        const waits = new Set(Array.from({ length: int(3) }, () => int(id)).filter((wait) => wait < id));
        const dramCycles = engine.startsWith("dma") ? 1 + int(40) : 0;
        const own = { cycles: int(3) === 0 ? 0 : int(60), dramCycles, latency: int(2) * int(50) };
        return { engine, npu: int(3), waits: [...waits].sort((a, b) => a - b), ...own };
      });
      const { times, order } = run(given);
      expect(times.map(({ start, end }) => ({ start, end }))).toEqual(obvious(given));
      const place = new Map([...order].map((id, at) => [id, at]));
      for (const [id, { waits = [] }] of given.entries()) {
        for (const wait of waits) expect(place.get(wait)).toBeLessThan(place.get(id) ?? 0);
      }
      for (const { start, reason, waitedFor } of times) {
        if (reason === "start") expect(start).toBe(0);
        else expect(waitedFor).toBeDefined();
      }
    }
  });
});
