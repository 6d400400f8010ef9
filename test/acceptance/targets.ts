/** The descriptions of other people's chips beside what their makers and tools say of them; nothing is fitted. */
import { NETWORKS } from "../../bench/backend/networks.ts";
import { peerChip, runOn } from "../../bench/peers/compare.ts";
import { resNet18, SCALESIM_RESNET18, scaleSimGraph } from "../../bench/peers/networks.ts";
import { NVDLA_TABLE, type NvdlaConfiguration, nvdlaTarget } from "../../scripts/nvdla.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget, parseTarget } from "../../src/target/load.ts";
import type { AcceptanceCheck } from "./check.ts";

function networkOf(name: string): Graph {
  const graph = NETWORKS.get(name)?.();
  if (graph) return graph;
  throw new Error(`there is no network ${name}`);
}

const cyclesOn = (graph: Graph, configuration: NvdlaConfiguration): number =>
  runOn(graph, parseTarget(nvdlaTarget(configuration), "nvdla")).cycles;

/** Five larger configurations within 10 %, the two smallest within 25 %. */
const limitOf = (macs: number): number => (macs >= 128 ? 0.1 : 0.25);
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function* nvdla() {
  const graph = networkOf("resnet50");
  const ratios = NVDLA_TABLE.map((row) => 1e9 / cyclesOn(graph, row) / row.framesPerSecond);
  for (const [at, { macs }] of NVDLA_TABLE.entries()) {
    const error = ratios[at] - 1;
    const others = ratios.filter((_, other) => other !== at);
    const factor = Math.exp(others.reduce((sum, ratio) => sum + Math.log(ratio), 0) / others.length);
    const left = ratios[at] / factor - 1;
    const limit = limitOf(macs);
    yield { name: `nvdla-${macs}`, good: Math.abs(error) <= limit, says: `${percent(error)} of the vendor's frames/s` };
    const says = `${percent(left)} with the factor ${factor.toFixed(3)} of the other six`;
    yield { name: `nvdla-${macs} left out`, good: Math.abs(left) <= limit, says };
  }
}

/** Steps up from configurations that are not in the table. */
function* neverSlower() {
  const graph = networkOf("resnet50");
  const [macs, buffers, bandwidths] = [
    [48, 192, 768],
    [160, 320, 640],
    [0.75, 6],
  ];
  const known = new Map<string, number>();
  const at = (one: NvdlaConfiguration) => {
    const key = JSON.stringify(one);
    const found = known.get(key) ?? cyclesOn(graph, one);
    known.set(key, found);
    return found;
  };
  let [steps, slower, worst] = [0, 0, 1];
  for (const [i, m] of macs.entries()) {
    for (const [j, kib] of buffers.entries()) {
      for (const [k, GBps] of bandwidths.entries()) {
        const here = { macs: m, bufferBytes: kib * 1024, GBps };
        const better = [
          ...(macs[i + 1] ? [{ ...here, macs: macs[i + 1] }] : []),
          ...(buffers[j + 1] ? [{ ...here, bufferBytes: buffers[j + 1] * 1024 }] : []),
          ...(bandwidths[k + 1] ? [{ ...here, GBps: bandwidths[k + 1] }] : []),
        ];
        for (const one of better) {
          const ratio = at(one) / at(here);
          steps++;
          if (ratio > 1) slower++;
          worst = Math.max(worst, ratio);
        }
      }
    }
  }
  const says = `${slower} of ${steps} steps to a better chip are slower, the worst by ${percent(worst - 1)}`;
  yield { name: "nvdla: more is never slower", good: slower === 0, says };
}

/** What ZigZag 3.9.1 says of its chip at its best (bench/peers/results/zigzag-resnet18.json). */
const ZIGZAG_CYCLES = 2_706_959;
const SCALESIM_CYCLES = 392_096;

function* peers() {
  const zigzag = runOn(resNet18(), peerChip("zigzag-tesla-like")).cycles;
  yield { name: "zigzag", good: zigzag <= ZIGZAG_CYCLES, says: `${zigzag} cycles, ZigZag ${ZIGZAG_CYCLES}` };
  const chip = peerChip("scalesim-96x96");
  let total = 0;
  for (const layer of SCALESIM_RESNET18) {
    for (const { array } of runOn(scaleSimGraph(layer), chip).layers.values()) total += array;
  }
  const near = Math.abs(total / SCALESIM_CYCLES - 1) <= 0.005;
  yield { name: "scale-sim", good: near, says: `${total} cycles, SCALE-Sim ${SCALESIM_CYCLES}` };
}

function* published() {
  const target = loadTarget("ai3");
  const { program } = schedule(networkOf("googlenet-1280x960"), target);
  const { arrayUtilization } = timeProgram(program, target);
  yield {
    name: "ai3, GoogLeNet at 1280 × 960",
    good: arrayUtilization >= 0.78,
    says: `the array is ${percent(arrayUtilization)} busy (published: over 80 %)`,
  };
}

export const targets: AcceptanceCheck = async function* () {
  for (const check of [nvdla, peers, published, neverSlower]) yield* check();
};
