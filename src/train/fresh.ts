/** First weights for a network that knows nothing yet. */
import { elementCount, type Graph, intAttr, type Node, type Tensor } from "../ir/graph.ts";
import { seededRandom } from "../ir/random.ts";
import { float32 } from "../ir/tensor.ts";

const SCALES = new Set([
  "BatchNormalization",
  "LayerNormalization",
  "GroupNormalization",
  "InstanceNormalization",
  "RMSNormalization",
]);
/** PyTorch's and the paper's (He et al. 2015) first slope. */
const PRELU_SLOPE = 0.25;

/**
 * The graph with other constants for `names`: kernels, matrices and tables uniform within ±√(6/fan-in) (He et al. 2015), scales
 * 1, shifts and biases 0; and, whatever `names` says, running means 0 and variances 1 of its BatchNormalizations. Each
 * constant's numbers follow from the seed and its own name.
 */
export function withFreshWeights(graph: Graph, names: readonly string[], seed: number): Graph {
  const constants = new Map(graph.constants);
  const set = (name: string, value: (shape: readonly number[]) => Tensor): void => {
    const found = graph.constants.get(name);
    if (found !== undefined) constants.set(name, { ...value(found.shape), dtype: found.dtype });
  };
  const readers = firstReaders(graph);
  for (const name of names) set(name, (shape) => first(shape, readers.get(name), `${seed}/${name}`));
  for (const { op, inputs } of graph.nodes) {
    if (op !== "BatchNormalization") continue;
    set(inputs[3], (shape) => filled(shape, 0));
    set(inputs[4], (shape) => filled(shape, 1));
  }
  return { ...graph, constants };
}

interface Read {
  readonly node: Node;
  readonly index: number;
}

function firstReaders(graph: Graph): Map<string, Read> {
  const readers = new Map<string, Read>();
  for (const node of graph.nodes) {
    for (const [index, name] of node.inputs.entries()) if (!readers.has(name)) readers.set(name, { node, index });
  }
  return readers;
}

function filled(shape: readonly number[], value: number): Tensor {
  return float32(shape, new Float32Array(elementCount(shape)).fill(value));
}

function first(shape: readonly number[], read: Read | undefined, seed: string): Tensor {
  const op = read?.node.op ?? "";
  if (op === "PRelu") return filled(shape, PRELU_SLOPE);
  if (SCALES.has(op)) return filled(shape, read?.index === 1 ? 1 : 0);
  if (shape.filter((size) => size > 1).length < 2) return filled(shape, op === "Mul" ? 1 : 0);
  const random = seededRandom(seed);
  const bound = Math.sqrt(6 / Math.max(1, fanIn(shape, read)));
  return float32(
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => (2 * random() - 1) * bound),
  );
}

/** Over how many products an output of the reader sums. */
function fanIn(shape: readonly number[], read: Read | undefined): number {
  const last = shape[shape.length - 1];
  const before = shape[shape.length - 2];
  switch (read?.node.op) {
    case "Conv":
      return elementCount(shape.slice(1));
    case "ConvTranspose":
      return shape[0] * elementCount(shape.slice(2));
    case "MatMul":
      return read.index === 1 ? before : last;
    case "Gemm": {
      const turned = intAttr(read.node, read.index === 1 ? "transB" : "transA", 0) === 1;
      return (read.index === 1) === turned ? last : before;
    }
    default:
      return last;
  }
}
