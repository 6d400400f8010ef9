/** What a unit is worth: how much of what its readers make comes through it, on real samples. */
import { type Graph, intAttr, type Node } from "../ir/graph.ts";
import { int64, stridesOf, valuesOf } from "../ir/tensor.ts";
import { type Batch, meansOf, type Probe } from "./means.ts";
import type { Units } from "./units.ts";

/** A linear operator that sums over channels of `value` with constant weights. */
interface Reader {
  readonly value: string;
  readonly axis: number;
  readonly rank: number;
  /** Σ of the squared weights that read each channel. */
  readonly norms: Float64Array;
}

/**
 * Unit → Σ over all that reads it of E[x²]·‖w‖², as a share of its reader's whole: how much the readers would miss. (The
 * product of activation and weight is Wanda's, Sun et al. 2023, squared and summed over structures.) A unit that nobody reads
 * with weights counts nothing.
 */
export async function worthOf({ graph, unitAt }: Units, batches: readonly Batch[]): Promise<Map<number, number>> {
  const readers = graph.nodes.flatMap((node) => readerOf(graph, node) ?? []);
  const energies = await energiesOf(graph, readers, batches);
  const worth = new Map<number, number>();
  for (const { value, axis, norms } of readers) {
    const energy = energies.get(`${value}#${axis}`);
    const shares = norms.map((norm, index) => norm * (energy?.[index] ?? 1));
    const whole = shares.reduce((sum, share) => sum + share, 0) || 1;
    for (const [index, share] of shares.entries()) {
      const unit = unitAt(value, axis, index);
      if (unit >= 0) worth.set(unit, (worth.get(unit) ?? 0) + share / whole);
    }
  }
  return worth;
}

function readerOf(graph: Graph, node: Node): Reader | undefined {
  const place = node.domain === "" ? placeOf(graph, node) : undefined;
  if (place === undefined) return undefined;
  const { value, axis, weights, along, group } = place;
  const tensor = graph.constants.get(weights);
  const rank = graph.types.get(value)?.shape?.length;
  if (tensor === undefined || rank === undefined || tensor.quant) return undefined;
  const numbers = valuesOf(tensor) as Float32Array;
  const inner = stridesOf(tensor.shape)[along];
  const size = tensor.shape[along];
  const norms = new Float64Array(size * group);
  const each = numbers.length / group;
  for (let index = 0; index < numbers.length; index++) {
    // In groups the kernels of one group stand together, and each reads the channels of its group only.
    const channel = Math.floor(index / inner) % size;
    norms[(group === 1 ? 0 : Math.floor(index / each) * size) + channel] += numbers[index] ** 2;
  }
  return { value, axis: axis < 0 ? axis + rank : axis, rank, norms };
}

/** Where an operator with constant weights sums over channels: of which value and axis, and along which axis of its weights. */
export interface Place {
  readonly value: string;
  /** Of the value; negative from its end. */
  readonly axis: number;
  readonly weights: string;
  readonly along: number;
  readonly group: number;
}

export function placeOf(graph: Graph, node: Node): Place | undefined {
  const [value, weights] = node.inputs;
  const rank = graph.constants.get(weights)?.shape.length ?? 0;
  switch (node.op) {
    case "Conv": {
      const group = intAttr(node, "group", 1);
      // One kernel a channel only scales what the next layer reads.
      const isDepthwise = group > 1 && graph.constants.get(weights)?.shape[1] === 1;
      return isDepthwise ? undefined : { value, axis: 1, weights, along: 1, group };
    }
    case "ConvTranspose":
      return intAttr(node, "group", 1) === 1 ? { value, axis: 1, weights, along: 0, group: 1 } : undefined;
    case "MatMul":
      return rank >= 2 ? { value, axis: -1, weights, along: rank - 2, group: 1 } : undefined;
    case "Gemm":
      return {
        value,
        axis: intAttr(node, "transA", 0) ? 0 : 1,
        weights,
        along: intAttr(node, "transB", 0) ? 1 : 0,
        group: 1,
      };
    default:
      return undefined;
  }
}

/** E[x²] of each channel that a reader reads, over all samples and places. */
async function energiesOf(graph: Graph, readers: readonly Reader[], batches: readonly Batch[]) {
  const probes = new Map<string, Probe>();
  for (const { value, axis, rank } of readers) {
    const key = `${value}#${axis}`;
    if (graph.constants.has(value)) continue;
    const others = Array.from({ length: rank }, (_, each) => each).filter((each) => each !== axis);
    const axes = int64([others.length], others);
    const add: Probe["add"] = (emit) => emit("ReduceMean", [emit("Mul", [value, value]), axes], { keepdims: { i: 0 } });
    probes.set(key, { key, add });
  }
  return meansOf(graph, [...probes.values()], batches);
}
