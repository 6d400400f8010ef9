/** The figures that one run without arguments prints; each begins with what it is, so that one can be asked for by name. */
import { fileURLToPath } from "node:url";
import { dramBytesPerCycle } from "../../src/emulate/cycles.ts";
import type { AnyArray } from "../../src/emulate/machine/memory.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { elementCount, type Graph } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { withPackedCaches } from "../../src/quant/packed-caches.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import { layerByLayerBytes } from "../../src/schedule/layer-by-layer.ts";
import { solveFile } from "./allocate.ts";
import { Network } from "./builder.ts";
import { withInt4Weights } from "./int4.ts";
import { measureGraph, measureNetwork, networkGraph } from "./measure.ts";
import { gptDecode } from "./networks/transformers.ts";
import { NETWORKS } from "./networks.ts";
import { type BenchOptions, targetOf } from "./options.ts";

/** One line of output: what was measured, without the name of the figure. */
export type Line = Readonly<Record<string, string | number>>;
export type Figure = (options: BenchOptions) => Iterable<Line>;

const ratio = (a: number, b: number): number => Math.round((a / b) * 1000) / 1000;

/** Cycles against both bounds, network by network. */
function* networks(options: BenchOptions): Iterable<Line> {
  for (const name of NETWORKS.keys()) {
    const { figures, timing } = measureNetwork(name, options);
    yield {
      ...figures,
      ratio: ratio(figures.cycles, figures.boundCycles),
      floorRatio: ratio(figures.cycles, figures.floorCycles),
      rooflineRatio: ratio(figures.cycles, figures.rooflineCycles),
      sramPeakBytes: timing.sramPeakBytes,
    };
  }
}

/** DRAM traffic with little SRAM, where cascades matter, against layers that know nothing of each other. */
function* traffic(options: BenchOptions): Iterable<Line> {
  const small = { ...options, set: ["sram=1MiB", ...options.set] };
  const { target } = targetOf(small);
  for (const name of ["yolov8n", "mobilenet-v2", "resnet50"]) {
    const graph = networkGraph(name);
    const { figures } = measureGraph(name, graph, small);
    const layerBytes = layerByLayerBytes(graph, target);
    const { network, cycles, dramBytes, ms } = figures;
    yield {
      network,
      target: figures.target,
      sramBytes: target.sram.bytes,
      cycles,
      dramBytes,
      layerByLayerBytes: layerBytes,
      timesLess: ratio(layerBytes, dramBytes),
      ms,
    };
  }
}

/** What three NPUs of a SoC gain over one, with the same memory behind them. */
function* sharing(options: BenchOptions): Iterable<Line> {
  const images = [...NETWORKS.keys()].filter((name) => name !== STEP).map((name): [string, number] => [name, 1]);
  for (const [name, batch] of [...images, ["resnet50", 3] as const]) {
    const graph = networkGraph(name, batch);
    const [one, three] = [1, 3].map((npus) => measureGraph(name, graph, { ...options, npus }).figures);
    const { network, target, profile, cycles, boundCycles, dramBytes, ms } = three;
    const gain = ratio(one.cycles, cycles);
    yield { network, batch, target, profile, npus: 3, cycles, boundCycles, dramBytes, ms, gain };
  }
}

const STEP = "gpt-1.5b-decode";

/** The step of a language model on three NPUs, though one could do it: all that counts is the DRAM. */
function* decode(options: BenchOptions): Iterable<Line> {
  const { figures, timing } = measureGraph(STEP, networkGraph(STEP), { ...options, npus: 3 }, "always");
  const { target, profile } = targetOf(options);
  const perCycle = dramBytesPerCycle(target, target.profiles[profile]?.dramShare ?? 1);
  yield {
    ...figures,
    npus: 3,
    ratio: ratio(figures.cycles, figures.boundCycles),
    sustainedShare: ratio(timing.dramBusBytes, timing.cycles * perCycle),
  };
}

/** Blocks of weights that share a multiplier. */
const BLOCK = 128;

/**
 * What weights of 4 bits gain over those of 8: much where their way from memory takes the time (a step of a language model on three
 * NPUs; one alone takes a weight a column and cycle, hardly more than memory brings), little where products do.
 */
function* int4(options: BenchOptions): Iterable<Line> {
  for (const [name, npus] of [
    [STEP, 3] as const,
    [STEP, 1] as const,
    ["vit-b16", 1] as const,
    ["resnet50", 1] as const,
  ]) {
    const graph = networkGraph(name);
    const shared = { ...options, npus };
    const [eight, four] = [graph, withInt4Weights(graph, BLOCK)].map(
      (one) => measureGraph(name, one, shared, npus > 1 ? "always" : "faster").figures,
    );
    const { network, target, profile, cycles, boundCycles, dramBytes, ms } = four;
    yield {
      network,
      target,
      profile,
      npus,
      block: BLOCK,
      cycles,
      boundCycles,
      ratio: ratio(cycles, boundCycles),
      dramBytes,
      int8Cycles: eight.cycles,
      int8DramBytes: eight.dramBytes,
      gain: ratio(eight.cycles, cycles),
      ms,
    };
  }
}

/**
 * What caches of 4 bits gain over those of 8, beside weights of either: the more the longer the context is, since a step reads all of
 * every cache, and its weights whatever the context.
 */
function* caches(options: BenchOptions): Iterable<Line> {
  for (const context of [512, 2048]) {
    const eight = gptDecode(48, context);
    for (const [weights, graph] of [[8, eight] as const, [4, withInt4Weights(eight, BLOCK)] as const]) {
      const packed = withPackedCaches(graph, new Set(graph.states.map(({ input }) => input)));
      const [before, after] = [graph, packed].map(
        (one) => measureGraph(STEP, one, { ...options, npus: 3 }, "always").figures,
      );
      const { network, target, profile, cycles, boundCycles, dramBytes, ms } = after;
      yield {
        ...{ network, target, profile, npus: 3, context, weightBits: weights },
        cycles,
        boundCycles,
        ratio: ratio(cycles, boundCycles),
        dramBytes,
        int8Cycles: before.cycles,
        int8DramBytes: before.dramBytes,
        gain: ratio(before.cycles, cycles),
        ms,
      };
    }
  }
}

/** Published memory instances that first fit does not solve. */
function* memory(options: BenchOptions): Iterable<Line> {
  for (const name of ["A", "C", "E", "G", "J"]) {
    yield { ...solveFile(fileURLToPath(new URL(`../../fixtures/minimalloc/${name}.csv`, import.meta.url)), options) };
  }
}

/** The share of the time that the array of the older chip works on a camera's whole frame. */
function* busy(options: BenchOptions): Iterable<Line> {
  const { figures, timing } = measureNetwork("googlenet-1280x960", { ...options, target: "ai3" });
  yield { ...figures, arrayBusy: ratio(timing.busy.array, timing.cycles), arrayUtilization: timing.arrayUtilization };
}

function largeGraph(): Graph {
  const net = new Network("large");
  let x = net.input("x", [1, 16, 16, 16]);
  for (let block = 0; block < 3333; block++) x = net.sum(net.conv(net.conv(x, 16, 1), 16, 3), x);
  return net.finish([net.conv(x, 16, 1)]);
}

/** Residual blocks without end: the time to schedule 10,000 layers. */
function* large(options: BenchOptions): Iterable<Line> {
  const graph = largeGraph();
  yield { ...measureGraph("large", graph, options).figures, nodes: graph.nodes.length };
}

/** Multiplications a second of the machine executor on one core; the first run warms its kernels up. */
function* machine(options: BenchOptions): Iterable<Line> {
  const { program, macs } = measureNetwork("resnet50", options);
  const executor = createMachine(encodeProgram(program));
  const random = seededRandom("machine");
  const inputs = new Map<string, AnyArray>();
  for (const { name, shape } of program.entries[0].inputs) {
    const code = () => Math.floor(random() * 256) - 128;
    inputs.set(name, Int8Array.from({ length: elementCount(shape) }, code));
  }
  executor.run("main", inputs);
  const begin = performance.now();
  executor.run("main", inputs);
  const seconds = (performance.now() - begin) / 1000;
  yield {
    network: "resnet50",
    seconds: Math.round(seconds * 1000) / 1000,
    megaMacsPerSecond: Math.round(macs / seconds / 1e6),
  };
}

export const FIGURES: ReadonlyMap<string, Figure> = new Map([
  ["networks", networks],
  ["traffic", traffic],
  ["sharing", sharing],
  ["decode", decode],
  ["int4", int4],
  ["caches", caches],
  ["memory", memory],
  ["busy", busy],
  ["large", large],
  ["machine", machine],
]);
