/**
 * Our cycles beside the peers', on the same layers and the same description, as the tables of docs/targets.md:
 * `node bench/peers/compare.ts`. The peers' figures were taken by the scripts beside this file; `--topology` prints the layers
 * that SCALE-Sim is given.
 */
import { existsSync, readFileSync } from "node:fs";
import { NVDLA_TABLE, nvdlaTarget } from "../../scripts/nvdla.ts";
import { bytesOfView, engineCycles } from "../../src/emulate/cycles.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget, parseTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";
import { NETWORKS } from "../backend/networks.ts";
import { resNet18, SCALESIM_RESNET18, scaleSimGraph } from "./networks.ts";

interface PeerLayer {
  readonly name: string;
  readonly operator?: string;
  readonly cycles: number;
}

function peerResult<T>(name: string): T | undefined {
  const url = new URL(`results/${name}.json`, import.meta.url);
  return existsSync(url) ? (JSON.parse(readFileSync(url, "utf8")) as T) : undefined;
}

/** A chip that only a peer has: its file in `chips`. */
export function peerChip(name: string): Target {
  return parseTarget(
    readFileSync(new URL(`chips/${name}.yaml`, import.meta.url), "utf8"),
    `bench/peers/chips/${name}.yaml`,
  );
}

export interface Run {
  readonly cycles: number;
  readonly dramCycles: number;
  /** Array and vector cycles by node, in the order of first use. */
  readonly layers: ReadonlyMap<string, { readonly array: number; readonly vector: number }>;
}

export function runOn(graph: Graph, target: Target): Run {
  const { program } = schedule(graph, target);
  const timing = timeProgram(program, target);
  const layers = new Map<string, { array: number; vector: number }>();
  let bytes = 0;
  for (const command of program.entries[0].commands) {
    if (command.kind === "dma-read" || command.kind === "dma-write") bytes += bytesOfView(command.from);
    if (command.engine !== "array" && command.engine !== "vector") continue;
    const name = command.origin[0] ?? "";
    const own = layers.get(name) ?? { array: 0, vector: 0 };
    own[command.engine] += engineCycles(command, target);
    layers.set(name, own);
  }
  const perCycle = (target.dram.GBps * target.dram.sustained) / target.clockGHz;
  return { cycles: timing.cycles, dramCycles: Math.ceil(bytes / perCycle), layers };
}

const table = (rows: readonly (readonly (string | number)[])[]) =>
  rows
    .map((row) => `| ${row.map((cell) => (typeof cell === "number" ? cell.toLocaleString("en") : cell)).join(" | ")} |`)
    .toSpliced(1, 0, `|${"---|".repeat(rows[0].length)}`)
    .join("\n");

function networkOf(name: string): Graph {
  const graph = NETWORKS.get(name)?.();
  if (graph) return graph;
  throw new Error(`bug: there is no network ${name}`);
}

function nvdla(): string {
  const graph = networkOf("resnet50");
  const rows = NVDLA_TABLE.map((one) => {
    const { cycles } = runOn(graph, parseTarget(nvdlaTarget(one), `nvdla-${one.macs}`));
    const predicted = 1e9 / cycles;
    const error = 100 * (predicted / one.framesPerSecond - 1);
    const { macs, bufferBytes, GBps, framesPerSecond } = one;
    return [macs, bufferBytes / 1024, GBps, framesPerSecond, predicted.toPrecision(3), `${error.toFixed(1)} %`];
  });
  return table([["multipliers", "buffer, KiB", "GB/s", "vendor, frames/s", "ours, frames/s", "difference"], ...rows]);
}

function zigzag(): string {
  const peer = peerResult<Record<"alone" | "dataLocality", { cycles: number; layers: PeerLayer[] }>>("zigzag-resnet18");
  const ours = runOn(resNet18(), peerChip("zigzag-tesla-like"));
  const rows = [...ours.layers]
    .filter(([, { array }]) => array > 0)
    .map(([name, { array }], at) => {
      const layer = peer?.alone.layers[at];
      return [layer?.name ?? name, array, Math.round(layer?.cycles ?? 0)];
    });
  const total = ["all", ours.cycles, Math.round(peer?.alone.cycles ?? 0)];
  return table([["layer", "ours (array)", "ZigZag"], ...rows, total]);
}

function scaleSim(): string {
  const peer = peerResult<{ cycles: number; layers: PeerLayer[] }>("scalesim-resnet18");
  const chip = peerChip("scalesim-96x96");
  const hidden = { ...chip, array: { ...chip.array, skewCycles: 0 } };
  let [total, overlapped] = [0, 0];
  const rows = SCALESIM_RESNET18.map((layer, at) => {
    const [one, two] = [chip, hidden].map((target) => {
      const { layers } = runOn(scaleSimGraph(layer), target);
      return [...layers.values()].reduce((sum, { array }) => sum + array, 0);
    });
    total += one;
    overlapped += two;
    return [layer.name, one, peer?.layers[at].cycles ?? 0, two];
  });
  const sum = ["all", total, peer?.cycles ?? 0, overlapped];
  return table([["layer", "ours", "SCALE-Sim", "ours, skew hidden"], ...rows, sum]);
}

function vela(): string {
  const peer = peerResult<{ cycles: Record<string, number>; layers: PeerLayer[] }>("vela-mobilenet-v2");
  const ours = runOn(networkOf("mobilenet-v2"), loadTarget("ethos-u55-256"));
  const theirs = (peer?.layers ?? []).filter(({ cycles }) => cycles > 0);
  const own = [...ours.layers.values()];
  const sum = (pick: (layer: { array: number; vector: number }) => number) =>
    own.reduce((all, layer) => all + pick(layer), 0);
  const kinds = [...new Set(theirs.map(({ operator }) => operator ?? ""))];
  const rows = kinds.map((kind) => {
    return [kind, Math.round(theirs.reduce((all, layer) => all + (layer.operator === kind ? layer.cycles : 0), 0))];
  });
  const cycles = peer?.cycles ?? {};
  return [
    table([
      ["", "ours", "Vela"],
      ["array and output", sum(({ array, vector }) => array + vector), cycles.npu ?? 0],
      ["flash", ours.dramCycles, cycles.off_chip_flash_access ?? 0],
      ["all", ours.cycles, cycles.total ?? 0],
    ]),
    table([["Vela by operator", "cycles"], ...rows]),
  ].join("\n\n");
}

function topology(): string {
  const heads = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,";
  const lines = SCALESIM_RESNET18.map(({ name, size, kernel, inputs, filters, stride }) => {
    return [name, size, size, kernel, kernel, inputs, filters, stride, ""].join(",");
  });
  return [heads, ...lines].join("\n");
}

if (import.meta.main) {
  const wanted = process.argv.includes("--topology") ? [topology] : [nvdla, zigzag, scaleSim, vela];
  console.log(wanted.map((make) => make()).join("\n\n"));
}
