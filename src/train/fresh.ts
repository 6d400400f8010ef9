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

/** What a product goes through on its way to what decides its first size. */
const PASSED = new Set(["Add", "Reshape"]);
/** What lets half of a product through, so that it must be twice as large (He et al. 2015). */
const HALVING = new Set(["Relu", "LeakyRelu", "PRelu", "Clip", "Elu", "Selu", "Gelu", "HardSwish", "Swish", "Mish"]);

/**
 * The graph with other constants for `names`: kernels, and matrices before a rectifier, uniform within ±√(6/fan-in) (He et al.
 * 2015), other matrices and tables within ±√(3/fan-in), which keeps the variance; a matrix whose product is added to a sum that
 * goes on (a residual) is divided by the root of the number of such sums (Radford et al. 2019), so that depth does not make
 * the sum grow. Scales 1, shifts and biases 0; and, whatever `names` says, running means 0 and variances 1 of its
 * BatchNormalizations. Each constant's numbers follow from the seed and its own name.
 */
export function withFreshWeights(graph: Graph, names: readonly string[], seed: number): Graph {
  const constants = new Map(graph.constants);
  const set = (name: string, value: (shape: readonly number[]) => Tensor): void => {
    const found = graph.constants.get(name);
    if (found !== undefined) constants.set(name, { ...value(found.shape), dtype: found.dtype });
  };
  const readers = firstReaders(graph);
  const fates = fatesOf(graph, readers);
  for (const name of names) {
    set(name, (shape) =>
      first(shape, readers.get(name), { seed: `${seed}/${name}`, gain: gainOf(readers.get(name), fates) }),
    );
  }
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

/** Products by their output: followed by a rectifier, or added to a residual. */
interface Fates {
  readonly halved: ReadonlySet<string>;
  readonly residual: ReadonlySet<string>;
}

function fatesOf(graph: Graph, readers: ReadonlyMap<string, Read>): Fates {
  const [halved, residual] = [new Set<string>(), new Set<string>()];
  for (const { op, outputs } of graph.nodes) {
    if (op !== "MatMul" && op !== "Gemm") continue;
    let value = outputs[0];
    for (let read = readers.get(value); read !== undefined; read = readers.get(value)) {
      const { node, index } = read;
      if (HALVING.has(node.op)) halved.add(outputs[0]);
      if (!PASSED.has(node.op)) break;
      if (node.op === "Add" && !graph.constants.has(node.inputs[1 - index])) {
        residual.add(outputs[0]);
        break;
      }
      value = node.outputs[0];
    }
  }
  return { halved, residual };
}

function gainOf(read: Read | undefined, { halved, residual }: Fates): number {
  const { op, outputs } = read?.node ?? { op: "", outputs: [] };
  if (op === "Conv" || op === "ConvTranspose" || halved.has(outputs[0])) return 6;
  return residual.has(outputs[0]) ? 3 / residual.size : 3;
}

function filled(shape: readonly number[], value: number): Tensor {
  return float32(shape, new Float32Array(elementCount(shape)).fill(value));
}

function first(
  shape: readonly number[],
  read: Read | undefined,
  { seed, gain }: { readonly seed: string; readonly gain: number },
): Tensor {
  const op = read?.node.op ?? "";
  if (op === "PRelu") return filled(shape, PRELU_SLOPE);
  if (SCALES.has(op)) return filled(shape, read?.index === 1 ? 1 : 0);
  if (shape.filter((size) => size > 1).length < 2) return filled(shape, op === "Mul" ? 1 : 0);
  const random = seededRandom(seed);
  const bound = Math.sqrt(gain / Math.max(1, fanIn(shape, read)));
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
