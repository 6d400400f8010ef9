/** Residual blocks: what may be left out because its input can stand for its output. */
import { forwardValues, removeDead } from "../ir/edit.ts";
import { type Graph, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { isFloat } from "../ir/numbers.ts";
import { valuesOf } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import { encodeModel } from "../onnx/write.ts";
import { inferTypes } from "../ops/infer.ts";
import { createSession } from "../run/ort.ts";
import type { Batch } from "./means.ts";

/** `output = Add(input, branch of input)`. */
export interface Block {
  /** The teacher's name of the sum. */
  readonly name: string;
  readonly input: string;
  readonly output: string;
}

const LINEAR = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"]);

/** Every sum of a value and of what layers make of that value, both of one shape, in the order of the graph. */
export function residualBlocks(graph: Graph): Block[] {
  const producers = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) if (name !== "") producers.set(name, node);
  return graph.nodes.flatMap((node): Block[] => {
    if (node.op !== "Add" || node.domain !== "") return [];
    const [output] = node.outputs;
    const shape = typeOf(graph, output)?.shape?.join();
    for (const [input, branch] of [node.inputs, [...node.inputs].reverse()]) {
      const fits = shape !== undefined && typeOf(graph, input)?.shape?.join() === shape && !graph.constants.has(input);
      if (fits && isLayersOf(branch, input, producers)) return [{ name: node.origin[0] ?? output, input, output }];
    }
    return [];
  });
}

/** Does the branch come from the input, through a layer? */
function isLayersOf(branch: string, input: string, producers: ReadonlyMap<string, Node>): boolean {
  const seen = new Set([branch]);
  let layers = 0;
  let reached = false;
  for (const name of seen) {
    if (name === input) {
      reached = true;
      continue;
    }
    const node = producers.get(name);
    if (node === undefined) continue;
    if (LINEAR.has(node.op)) layers++;
    for (const read of readsOf(node)) seen.add(read);
  }
  return reached && layers > 0;
}

/** The graph without these blocks: their inputs go on in place of their outputs. */
export function withoutBlocks(graph: Graph, blocks: readonly Block[]): Graph {
  if (blocks.length === 0) return graph;
  const forwards = new Map(blocks.map(({ output, input }): [string, string] => [output, input]));
  return inferTypes(removeDead(forwardValues(graph, forwards)));
}

export interface RankedBlock {
  readonly block: Block;
  /** Mean KL(teacher ‖ without the block), in nats a row of scores, with the blocks before it gone. */
  readonly effect: number;
}

/** Up to here the effects are measured again after each block that goes. */
const GREEDY = 12;

/** Blocks in the order in which they are missed least, by the scores of all float outputs (classes last). */
export async function rankBlocks(graph: Graph, batches: readonly Batch[]): Promise<RankedBlock[]> {
  const left = residualBlocks(graph);
  const outputs = graph.outputs.filter((name) => isFloat(typeOf(graph, name)?.dtype ?? "int64"));
  const whole = await scoresOf(graph, outputs, batches);
  const effectOf = async (gone: readonly Block[]): Promise<number> =>
    divergence(whole, await scoresOf(withoutBlocks(graph, gone), outputs, batches));
  const isGreedy = left.length <= GREEDY;
  const ranked: RankedBlock[] = [];
  while (left.length > 0) {
    const gone = ranked.map(({ block }) => block);
    const found: RankedBlock[] = [];
    for (const block of left) found.push({ block, effect: await effectOf([...gone, block]) });
    found.sort((a, b) => a.effect - b.effect);
    ranked.push(...(isGreedy ? found.slice(0, 1) : found));
    left.splice(0, left.length, ...(isGreedy ? left.filter((block) => block !== found[0].block) : []));
  }
  return ranked;
}

interface Scores {
  readonly values: Float32Array;
  readonly classes: number;
}

async function scoresOf(graph: Graph, outputs: readonly string[], batches: readonly Batch[]): Promise<Scores[]> {
  const session = await createSession(encodeModel(graph));
  try {
    const scores: Scores[] = [];
    for (const batch of batches) {
      const found = await session.run(batch);
      for (const name of outputs) {
        const tensor = found.get(name) as Tensor;
        scores.push({ values: valuesOf(tensor) as Float32Array, classes: Math.max(1, tensor.shape.at(-1) ?? 1) });
      }
    }
    return scores;
  } finally {
    await session.release();
  }
}

/** Mean over rows of Σ p·(log p − log q), p and q the softmax of the scores. */
function divergence(teacher: readonly Scores[], student: readonly Scores[]): number {
  let [sum, rows] = [0, 0];
  for (const [at, { values, classes }] of teacher.entries()) {
    const other = student[at].values;
    for (let row = 0; row < values.length; row += classes) {
      const [p, q] = [logSoftmax(values, row, classes), logSoftmax(other, row, classes)];
      for (const [index, log] of p.entries()) sum += Math.exp(log) * (log - q[index]);
      rows++;
    }
  }
  return rows === 0 ? 0 : sum / rows;
}

function logSoftmax(values: Float32Array, start: number, count: number): number[] {
  const row = Array.from(values.subarray(start, start + count));
  const most = Math.max(...row);
  const log = most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
  return row.map((value) => value - log);
}
