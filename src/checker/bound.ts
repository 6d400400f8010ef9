/**
 * What no schedule can beat under a target's description: the busiest of array, vector unit and DRAM if each worked without a
 * pause, weights cold. Computed from the integer graph alone; imports nothing of the scheduler or of the timing model, so that
 * both can be compared with it. The arguments why each part is a lower bound stand where it is computed and in docs/checker.md.
 */
import type { Graph } from "../ir/graph.ts";
import type { Target } from "../target/schema.ts";
import { type Layer, layerOf, macsOf, weightForms } from "./bound/layer.ts";
import { convCycles, matMulCycles, type UnitCycles } from "./bound/mappings.ts";
import { compulsoryTraffic, type Traffic } from "./bound/traffic.ts";
import { portCycles, vectorCycles } from "./bound/vector.ts";

export interface Bound {
  /** The largest of array, vector unit and DRAM. No schedule is faster. */
  readonly floorCycles: number;
  /**
   * The same where every layer runs as a whole, at its best legal mapping, on the unit that this one needs. Schedules that
   * divide a depthwise layer between array and vector unit can be faster; without such layers it is `floorCycles`.
   */
  readonly boundCycles: number;
  /** The larger of MACs / what the arrays do at their best, and compulsory bytes / sustained bandwidth. */
  readonly rooflineCycles: number;
  /** Of all NPUs' arrays together, each layer at its best legal mapping: only what the vector unit cannot take. */
  readonly arrayCycles: number;
  /** Of all vector units together, without what the arrays can take. */
  readonly vectorCycles: number;
  readonly dramCycles: number;
  /** What must cross the DRAM's bus once. */
  readonly compulsoryBytes: number;
  readonly macs: number;
}

export interface BoundOptions {
  /** The target's default profile unless said otherwise. */
  readonly profile?: string;
  /** NPUs that may share the work; 1 unless said otherwise. */
  readonly npus?: number;
}

/** A layer's least cycles on the array; on the vector unit, where that can do it instead. */
export function layerCycles(layer: Layer, target: Target): UnitCycles & { readonly onVector: boolean } {
  const ports = portCycles(layer, target);
  const atLeast = (cycles: number) => Math.max(cycles, ports) + target.issueCycles;
  if (layer.kind === "vector") return { array: 0, vector: atLeast(vectorCycles(layer, target)), onVector: true };
  if (layer.kind === "matmul") return { array: atLeast(matMulCycles(layer, target)), onVector: false };
  const { array, vector } = convCycles(layer, target);
  return { array: atLeast(array), ...(vector === undefined ? {} : { vector: atLeast(vector) }), onVector: false };
}

/**
 * The least that the busier of two units must do when some layers may go to either: layers are split fractionally, those
 * that the vector unit does relatively best first, until both are equally busy. This solves the linear program of which every
 * whole assignment is a solution: none can be better.
 */
function balance(array: number, vector: number, either: readonly { array: number; vector: number }[]): number {
  const sorted = [...either].sort((a, b) => a.vector / a.array - b.vector / b.array);
  let [onArray, onVector] = [array + sorted.reduce((sum, layer) => sum + layer.array, 0), vector];
  for (const layer of sorted) {
    if (onArray <= onVector) break;
    const share = Math.min(1, (onArray - onVector) / (layer.array + layer.vector));
    onArray -= share * layer.array;
    onVector += share * layer.vector;
  }
  return Math.max(onArray, onVector);
}

/** Cycles that the bytes take on the shared bus, and through the engines that move them in their direction. */
function dramCyclesOf({ read, written }: Traffic, target: Target, npus: number, share: number): number {
  const bus = (target.dram.GBps * target.dram.sustained * share) / target.clockGHz;
  const engines = npus * target.dma.engines * target.dma.bytesPerCycle;
  return Math.max((read + written) / bus, read / engines, written / engines);
}

/** The bounds of one run of an integer graph. Whatever is no operator of the chip costs nothing. */
export function boundOf(graph: Graph, target: Target, options: BoundOptions = {}): Bound {
  const npus = options.npus ?? 1;
  let [array, vector, macs] = [0, 0, 0];
  const either: { array: number; vector: number }[] = [];
  const known = new Map<string, ReturnType<typeof layerCycles>>();
  const formOf = weightForms(graph, target);
  let least = 0;
  for (const node of graph.nodes) {
    const layer = layerOf(node, graph, formOf);
    if (!layer) continue;
    macs += macsOf(layer);
    least += layer.kind === "vector" ? 0 : macsOf(layer) / layer.form.rate;
    const key = JSON.stringify(layer);
    const cycles = known.get(key) ?? layerCycles(layer, target);
    known.set(key, cycles);
    if (cycles.onVector) vector += cycles.vector ?? 0;
    else if (cycles.vector === undefined) array += cycles.array;
    else either.push({ array: cycles.array, vector: cycles.vector });
  }
  const best = either.map((layer) =>
    layer.vector < layer.array ? { array: 0, vector: layer.vector } : { ...layer, vector: 0 },
  );
  const wholeArray = best.reduce((sum, layer) => sum + layer.array, array);
  const wholeVector = best.reduce((sum, layer) => sum + layer.vector, vector);
  const share = target.profiles[options.profile ?? target.defaultProfile]?.dramShare ?? 1;
  const traffic = compulsoryTraffic(graph, target);
  const dramCycles = dramCyclesOf(traffic, target, npus, share);
  const { rows, columns, inputs, stepCycles } = target.array;
  const peak = (least * stepCycles) / (rows * columns * inputs * npus);
  return {
    floorCycles: Math.ceil(Math.max(balance(array, vector, either) / npus, dramCycles)),
    boundCycles: Math.ceil(Math.max(Math.max(wholeArray, wholeVector) / npus, dramCycles)),
    rooflineCycles: Math.ceil(Math.max(peak, dramCycles)),
    arrayCycles: array,
    vectorCycles: vector,
    dramCycles: Math.ceil(dramCycles),
    compulsoryBytes: traffic.read + traffic.written,
    macs,
  };
}

/** The layer that takes the most cycles at its best, in the teacher's names. */
export function slowestLayer(graph: Graph, target: Target): { layer: string; cycles: number } | undefined {
  let slowest: { layer: string; cycles: number } | undefined;
  const formOf = weightForms(graph, target);
  for (const node of graph.nodes) {
    const layer = layerOf(node, graph, formOf);
    if (!layer) continue;
    const { array, vector, onVector } = layerCycles(layer, target);
    const cycles = Math.ceil(onVector ? (vector ?? 0) : Math.min(array, vector ?? array));
    if (cycles > (slowest?.cycles ?? 0)) slowest = { layer: node.origin[0] ?? node.outputs[0], cycles };
  }
  return slowest;
}
