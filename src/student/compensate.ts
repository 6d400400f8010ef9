/** What dropped channels said, as far as the ones that stay can say it: put into the weights that read them. */
import type { Tensor } from "../ir/graph.ts";
import { stridesOf, valuesOf } from "../ir/tensor.ts";
import { countUses } from "../ir/uses.ts";
import { type Batch, meansOf, momentProbe, type Probe } from "./means.ts";
import { type Place, placeOf } from "./rank.ts";
import type { Units } from "./units.ts";

/** Of the mean of E[x²], added to each channel's own: channels that say the same twice have no unique answer. */
const RIDGE = 1e-4;

/**
 * The same units, of a graph whose linear readers are told about the channels that will go: with A of least E‖x_d − A·x_k‖² over samples and
 * places, A = H_dk·H_kk⁻¹, H = E[x·xᵀ], weights W_k become W_k + W_d·A. Then W_k·x_k is the nearest that a reader can come to W·x (at
 * kernels' borders too, since zeros are told from zeros). The weights of what goes stay; groups of convolutions and weights that are
 * shared are left alone.
 */
export async function compensated(
  units: Units,
  dropped: ReadonlySet<number>,
  batches: readonly Batch[],
): Promise<Units> {
  const readers = readersOf(units, dropped);
  const probes = new Map<string, Probe>();
  for (const { key, value, rank, axis, size } of readers) {
    probes.set(key, { key, add: momentProbe(value, { rank, axis, size }) });
  }
  const moments = await meansOf(units.graph, [...probes.values()], batches);
  const constants = new Map(units.graph.constants);
  const answers = new Map<string, Float64Array>();
  for (const { key, size, kept, weights, along } of readers) {
    const moment = moments.get(key);
    if (moment === undefined) continue;
    const gone = othersOf(kept, size);
    const answer = answers.get(key) ?? answerOf(moment, size, kept, gone);
    answers.set(key, answer);
    const tensor = constants.get(weights) as Tensor;
    constants.set(weights, told(tensor, along, kept, gone, answer));
  }
  return { ...units, graph: { ...units.graph, constants } };
}

interface Reader extends Place {
  readonly key: string;
  readonly rank: number;
  readonly size: number;
  readonly kept: readonly number[];
}

function readersOf({ graph, keptAlong }: Units, dropped: ReadonlySet<number>): Reader[] {
  const uses = countUses(graph);
  return graph.nodes.flatMap((node): Reader[] => {
    const place = node.domain === "" ? placeOf(graph, node) : undefined;
    if (place === undefined || place.group !== 1) return [];
    const tensor = graph.constants.get(place.weights);
    const rank = graph.types.get(place.value)?.shape?.length;
    if (tensor?.dtype !== "float32" || tensor.quant || uses.get(place.weights) !== 1) return [];
    if (rank === undefined || graph.constants.has(place.value)) return [];
    const axis = place.axis < 0 ? place.axis + rank : place.axis;
    const kept = keptAlong(place.value, axis, dropped);
    if (kept === undefined || kept.length === 0) return [];
    const size = tensor.shape[place.along];
    return [{ ...place, axis, rank, size, kept, key: `${place.value}#${axis}` }];
  });
}

function othersOf(kept: readonly number[], size: number): number[] {
  const stays = new Set(kept);
  return Array.from({ length: size }, (_, index) => index).filter((index) => !stays.has(index));
}

/** Aᵀ = H_kk⁻¹·H_kd, [kept, gone], from the moments [size, size + 1]. */
function answerOf(moment: Float64Array, size: number, kept: readonly number[], gone: readonly number[]): Float64Array {
  const of = (row: number, column: number): number => moment[row * (size + 1) + column];
  const count = kept.length;
  const ridge = (RIDGE * kept.reduce((sum, index) => sum + of(index, index), 0)) / count;
  const answer = new Float64Array(count * gone.length);
  if (!(ridge > 0)) return answer;
  const matrix = new Float64Array(count * count);
  for (const [i, row] of kept.entries()) {
    for (const [j, column] of kept.entries()) matrix[i * count + j] = of(row, column) + (i === j ? ridge : 0);
    for (const [j, column] of gone.entries()) answer[i * gone.length + j] = of(row, column);
  }
  solve(matrix, count, answer, gone.length);
  return answer;
}

/** X with M·X = B in the place of B [size, width], for a positive definite M, of which Cholesky's factor is made in its place. */
export function solve(m: Float64Array, size: number, b: Float64Array, width: number): void {
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let left = m[row * size + column];
      for (let k = 0; k < column; k++) left -= m[row * size + k] * m[column * size + k];
      m[row * size + column] = row === column ? Math.sqrt(left) : left / m[column * size + column];
    }
  }
  const less = (row: number, other: number, factor: number): void => {
    for (let at = 0; at < width; at++) b[row * width + at] -= factor * b[other * width + at];
  };
  const divide = (row: number): void => {
    for (let at = 0; at < width; at++) b[row * width + at] /= m[row * size + row];
  };
  for (let row = 0; row < size; row++) {
    for (let k = 0; k < row; k++) less(row, k, m[row * size + k]);
    divide(row);
  }
  for (let row = size - 1; row >= 0; row--) {
    for (let k = row + 1; k < size; k++) less(row, k, m[k * size + row]);
    divide(row);
  }
}

/** The weights with w_k + Σ_d Aᵀ[k, d]·w_d in the place of w_k along an axis. */
function told(
  tensor: Tensor,
  along: number,
  kept: readonly number[],
  gone: readonly number[],
  answer: Float64Array,
): Tensor {
  const before = valuesOf(tensor) as Float32Array;
  const data = before.slice();
  const inner = stridesOf(tensor.shape)[along];
  const block = inner * tensor.shape[along];
  for (let start = 0; start < data.length; start += block) {
    for (const [i, to] of kept.entries()) {
      for (let at = 0; at < inner; at++) {
        let sum = before[start + to * inner + at];
        for (const [j, from] of gone.entries()) sum += answer[i * gone.length + j] * before[start + from * inner + at];
        data[start + to * inner + at] = sum;
      }
    }
  }
  return { ...tensor, data };
}
