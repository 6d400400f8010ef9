/** A run of the program as the report draws it: who worked when, and what lay where in SRAM. */
import { gzipSync, strToU8 } from "fflate";
import { criticalPath } from "../emulate/critical-path.ts";
import type { Timeline } from "../emulate/timing.ts";
import { traceOf } from "../emulate/trace.ts";
import { type ChipModel, MOST, type Span, type SramMap } from "../report/html/model.ts";
import type { Command, Engine, Program } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";

/** Commands beyond which nobody tries to make a trace that would fit. */
const MOST_TRACED = 60_000;

const ENGINES: readonly Engine[] = ["array", "vector", "dma-in", "dma-out"];

export function chipOf(
  program: Program,
  timeline: Timeline,
  target: Target,
  layerOf: (at: number) => number,
  layers: readonly string[],
): ChipModel {
  const { commands, simulation } = timeline;
  const tracks: string[] = [];
  for (let npu = 0; npu < program.npus; npu++) {
    for (const engine of ENGINES) tracks.push(program.npus === 1 ? engine : `NPU ${npu} ${engine}`);
  }
  tracks.push("host");
  const trackOf = ({ engine, npu }: Command) =>
    engine === "cpu" ? tracks.length - 1 : npu * ENGINES.length + ENGINES.indexOf(engine);
  const critical = new Set(criticalPath(simulation).map(({ id }) => id));
  const spans: Span[] = [];
  const busy = tracks.map(() => 0);
  for (const [id, command] of commands.entries()) {
    const { start, released } = simulation.times[id];
    const length = released - start;
    if (length <= 0) continue;
    busy[trackOf(command)] += length;
    spans.push([trackOf(command), start, length, layerOf(id), critical.has(id) ? 1 : 0]);
  }
  const used = tracks.map((_, track) => busy[track] > 0);
  const places = tracks.map((_, track) => used.slice(0, track).filter(Boolean).length);
  const kept = spans.map(([track, ...rest]): Span => [places[track], ...rest]);
  const only = <T>(list: readonly T[]) => list.filter((_, track) => used[track]);
  const trace = traceText(program, timeline, target);
  return {
    cycles: simulation.cycles,
    clockGHz: target.clockGHz,
    tracks: only(tracks),
    busy: only(busy),
    layers,
    spans: thinned(kept, simulation.cycles),
    commands: kept.length,
    ...(trace !== undefined && { trace }),
    sram: sramOf(program, timeline, target),
  };
}

/** Neighbours on a track that no screen could tell apart become one, wider and wider ones until few enough are left. */
function thinned(spans: readonly Span[], cycles: number): Span[] {
  const ordered = [...spans].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let found = ordered;
  for (let grain = cycles / 20_000; found.length > MOST.spans && grain < cycles; grain *= 1.6)
    found = merged(ordered, grain);
  return found;
}

function merged(spans: readonly Span[], grain: number): Span[] {
  const found: Span[] = [];
  for (const span of spans) {
    const last = found.at(-1);
    const end = last === undefined ? 0 : last[1] + last[2];
    const near =
      last !== undefined && last[0] === span[0] && span[1] - end < grain && span[1] + span[2] - last[1] < 2 * grain;
    if (!near) found.push(span);
    else
      found[found.length - 1] = [
        last[0],
        last[1],
        Math.max(end, span[1] + span[2]) - last[1],
        last[3],
        (last[4] | span[4]) as 0 | 1,
      ];
  }
  return found;
}

function traceText(program: Program, timeline: Timeline, target: Target): string | undefined {
  if (timeline.commands.length > MOST_TRACED) return undefined;
  const bytes = gzipSync(strToU8(JSON.stringify(traceOf(program, timeline, target))), {
    level: 9,
    mtime: "1980-01-01",
  });
  const text = Buffer.from(bytes).toString("base64");
  return text.length > MOST.trace ? undefined : text;
}

function sramOf(program: Program, timeline: Timeline, target: Target): SramMap[] {
  const plan = program.plan[0];
  if (plan === undefined) return [];
  const { times } = timeline.simulation;
  const maps: SramMap[] = [];
  for (let npu = 0; npu < program.npus; npu++) {
    const all = plan.buffers
      .filter(
        (buffer) =>
          buffer.space === "sram" &&
          buffer.npu === npu &&
          times[buffer.first] !== undefined &&
          times[buffer.last] !== undefined,
      )
      .map(({ name, address, bytes, first, last }) => ({
        name,
        address,
        bytes,
        start: times[first].start,
        end: Math.max(times[first].end, times[last].end),
      }));
    const largest = [...all]
      .sort((a, b) => b.bytes * (b.end - b.start) - a.bytes * (a.end - a.start))
      .slice(0, MOST.buffers);
    const peakBytes = all.reduce((most, { address, bytes }) => Math.max(most, address + bytes), 0);
    if (all.length > 0)
      maps.push({ npu, bytes: target.sram.bytes, peakBytes, buffers: largest, left: all.length - largest.length });
  }
  return maps;
}
