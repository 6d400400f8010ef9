import { dequantize } from "../ir/codes.ts";
import { type Graph, intAttr, type Node, type Tensor, typeOf } from "../ir/graph.ts";
import { decode } from "../ir/numbers.ts";
import { stridesOf } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import type { ChannelStatistics } from "./calibrate.ts";
import type { ChannelRequest } from "./observe.ts";

/** Nodes whose weights are rounded, and so shift the mean of what they make. */
const LINEAR = new Set(["Conv", "Gemm"]);

function isLinear(graph: Graph, node: Node): boolean {
  return node.domain === "" && LINEAR.has(node.op) && graph.constants.has(node.inputs[1]);
}

/** The channel axis of a linear node's input. */
function channelAxis(graph: Graph, node: Node): number | undefined {
  if (node.op === "Conv") return 1;
  const rank = typeOf(graph, node.inputs[0])?.shape?.length;
  return rank === 2 && intAttr(node, "transA", 0) === 0 ? 1 : undefined;
}

/** The values whose channel means `correctBias` needs. */
export function meanRequests(graph: Graph): ChannelRequest[] {
  const requests = new Map<string, ChannelRequest>();
  for (const node of graph.nodes) {
    const axis = isLinear(graph, node) ? channelAxis(graph, node) : undefined;
    if (axis !== undefined && !graph.constants.has(node.inputs[0])) {
      requests.set(node.inputs[0], { value: node.inputs[0], axis });
    }
  }
  return [...requests.values()];
}

/**
 * Analytic bias correction (Nagel et al. 2019, data-free quantization, §4.2, with measured means): rounded weights ŵ shift
 * the mean of output o by `Σ_c (ŵ − w)[o, c]·E[x_c]`, which the bias takes back. Borders, where padding is seen, count
 * as the inside.
 */
export function correctBias(graph: Graph, before: Graph, channels: ReadonlyMap<string, ChannelStatistics>): Graph {
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.map((node, index) => {
    const original = before.nodes[index];
    if (!isLinear(before, original)) return node;
    const mean = channels.get(node.inputs[0])?.means;
    const codes = constants.get(node.inputs[1]);
    const real = before.constants.get(original.inputs[1]);
    const shift = mean && codes?.quant && real && !real.quant ? meanShift(node, codes, real, mean) : undefined;
    if (!shift) return node;
    const old = node.inputs[2] ? constants.get(node.inputs[2]) : undefined;
    if (node.inputs[2] && (!old || old.quant)) return node;
    const values = old ? Array.from(decode(old) as ArrayLike<number>) : [];
    const gain = node.op === "Gemm" ? gainOf(node) : 1;
    if (!(gain > 0) || (values.length > 0 && values.length !== shift.length)) return node;
    const name = `${node.outputs[0]}/corrected-bias`;
    const data = Float32Array.from(shift, (value, channel) => (values[channel] ?? 0) - value * gain);
    constants.set(name, { dtype: "float32", shape: [shift.length], data });
    return { ...node, inputs: [node.inputs[0], node.inputs[1], name] };
  });
  const used = new Set([...nodes.flatMap(readsOf), ...graph.outputs]);
  for (const name of constants.keys()) if (!used.has(name)) constants.delete(name);
  return { ...graph, nodes, constants };
}

/** Gemm is alpha·A·B + beta·C: how much C must change to shift the output by one. */
function gainOf(node: Node): number {
  const attr = (name: string): number => {
    const found = node.attrs.get(name);
    return found && "f" in found ? found.f : 1;
  };
  return attr("alpha") / attr("beta");
}

/** Σ_c (ŵ − w)[o, c]·mean[c] for every output channel o. */
function meanShift(node: Node, codes: Tensor, real: Tensor, mean: Float64Array): Float64Array | undefined {
  const rounded = dequantize(codes).data as Float32Array;
  const exact = decode(real) as ArrayLike<number>;
  const [first, second] = real.shape;
  const transposed = intAttr(node, "transB", 0) !== 0;
  const isConv = node.op === "Conv";
  const outputs = isConv || transposed ? first : second;
  const group = isConv ? intAttr(node, "group", 1) : 1;
  const depth = isConv || transposed ? second : first;
  if (depth * group !== mean.length) return undefined;
  const strides = stridesOf(real.shape);
  const [alongOutput, alongInput] = isConv || transposed ? [strides[0], strides[1]] : [strides[1], strides[0]];
  const kernel = isConv ? strides[1] : 1;
  const shift = new Float64Array(outputs);
  for (let output = 0; output < outputs; output++) {
    const start = Math.floor(output / (outputs / group)) * depth;
    for (let input = 0; input < depth; input++) {
      let error = 0;
      for (let tap = 0; tap < kernel; tap++) {
        const at = output * alongOutput + input * alongInput + tap;
        error += rounded[at] - exact[at];
      }
      shift[output] += error * mean[start + input];
    }
  }
  return shift;
}
