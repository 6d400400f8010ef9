import { dequantize } from "../ir/codes.ts";
import {
  floatAttr,
  type Graph,
  intAttr,
  intsAttr,
  isStatic,
  type Node,
  type Tensor,
  type Type,
  typeOf,
} from "../ir/graph.ts";
import { decode } from "../ir/numbers.ts";
import { stridesOf } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import { fusionGroups } from "./groups.ts";
import type { ChannelRequest, Grid } from "./probe.ts";

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

/**
 * What `correctBias` must know: every value that rounded weights are multiplied with, twice, as it is and as its codes
 * tell it.
 */
export function meanRequests(graph: Graph): ChannelRequest[] {
  const requests = new Map<string, ChannelRequest>();
  for (const node of graph.nodes) {
    const value = node.inputs[0];
    const axis = isLinear(graph, node) ? channelAxis(graph, node) : undefined;
    if (axis !== undefined && !graph.constants.has(value)) requests.set(value, { value, axis, moment: 1 });
  }
  return [...requests.values()].flatMap((request) => {
    const grid = gridOf(graph.types.get(request.value));
    return grid ? [request, { ...request, grid }] : [];
  });
}

/** Linear operators: the value before any activation, and the value of the group that is stored. */
export function linearOutputs(graph: Graph): (ChannelRequest & { readonly output: string })[] {
  const { byAnchor } = fusionGroups(graph);
  return graph.nodes.flatMap((node) => {
    if (!isLinear(graph, node) || (node.op === "Gemm" && channelAxis(graph, node) === undefined)) return [];
    const group = byAnchor.get(node);
    return [{ value: node.outputs[0], axis: 1, moment: 1, output: group?.output ?? node.outputs[0] }];
  });
}

function gridOf(type: Type | undefined): Grid | undefined {
  const quant = type?.quant;
  if (quant?.scale.length !== 1) return undefined;
  const { dtype } = type ?? {};
  const [scale, zero] = [quant.scale[0], quant.zeroPoint[0]];
  if (dtype === "int4") return { dtype: "int8", scale, zero, bits: 4 };
  if (dtype !== "int8" && dtype !== "int16" && dtype !== "uint8") return undefined;
  return { dtype, scale, zero };
}

/** Mean of each channel of a linear node's input: exact, and after rounding. */
interface Means {
  readonly exact: Float64Array;
  readonly rounded: Float64Array;
}

/**
 * Bias correction (Nagel et al. 2019, "Data-free quantization", §4.2, with measured means): with rounded weights ŵ and rounded
 * inputs x̂ the mean of output o is off by `Σ_c ŵ[o,c]·E[x̂_c] − w[o,c]·E[x_c]`, which the bias takes back. The inputs matter
 * where many elements are the same number (a saturated activation), whose rounding error then is no noise but an offset.
 * A tap of a filter counts as often as it sees the input and not padding: of a filter of three on a single number, one tap in three.
 */
export function correctBias(
  graph: Graph,
  before: Graph,
  requests: readonly ChannelRequest[],
  statistics: readonly Float64Array[],
): Graph {
  const means = new Map<string, Means>();
  for (let index = 0; index < requests.length; index += 2) {
    means.set(requests[index].value, { exact: statistics[index], rounded: statistics[index + 1] });
  }
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.map((node, index) => {
    const original = before.nodes[index];
    if (!isLinear(before, original)) return node;
    const mean = means.get(node.inputs[0]);
    const codes = constants.get(node.inputs[1]);
    const real = before.constants.get(original.inputs[1]);
    const shift = mean && codes?.quant && real && !real.quant ? meanShift(graph, node, codes, real, mean) : undefined;
    if (!shift) return node;
    const old = node.inputs[2] ? constants.get(node.inputs[2]) : undefined;
    if (node.inputs[2] && (!old || old.quant)) return node;
    const values = old ? Array.from(decode(old) as ArrayLike<number>) : [];
    // Gemm is alpha·A·B + beta·C: how much C must change to shift the output by one.
    const gain = node.op === "Gemm" ? floatAttr(node, "alpha", 1) / floatAttr(node, "beta", 1) : 1;
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

/** Σ_c ŵ[o,c]·E[x̂_c] − w[o,c]·E[x_c] for every output channel o; undefined where the shapes are only known at run time. */
function meanShift(graph: Graph, node: Node, codes: Tensor, real: Tensor, mean: Means): Float64Array | undefined {
  const rounded = dequantize(codes).data as Float32Array;
  const exact = decode(real) as ArrayLike<number>;
  const [first, second] = real.shape;
  const transposed = intAttr(node, "transB", 0) !== 0;
  const isConv = node.op === "Conv";
  const outputs = isConv || transposed ? first : second;
  const group = isConv ? intAttr(node, "group", 1) : 1;
  const depth = isConv || transposed ? second : first;
  if (depth * group !== mean.exact.length) return undefined;
  const strides = stridesOf(real.shape);
  const [alongOutput, alongInput] = isConv || transposed ? [strides[0], strides[1]] : [strides[1], strides[0]];
  const taps = isConv ? tapShares(graph, node, real.shape.slice(2)) : [1];
  if (!taps) return undefined;
  const shift = new Float64Array(outputs);
  for (let output = 0; output < outputs; output++) {
    const start = Math.floor(output / (outputs / group)) * depth;
    for (let input = 0; input < depth; input++) {
      const at = output * alongOutput + input * alongInput;
      let sum = 0;
      let was = 0;
      for (let tap = 0; tap < taps.length; tap++) {
        sum += rounded[at + tap] * taps[tap];
        was += exact[at + tap] * taps[tap];
      }
      shift[output] += sum * mean.rounded[start + input] - was * mean.exact[start + input];
    }
  }
  return shift;
}

/** For each tap of a filter, in row-major order, the share of the results for which it sees the input and not padding. */
function tapShares(graph: Graph, node: Node, kernel: readonly number[]): number[] | undefined {
  const [sizes, counts] = [node.inputs[0], node.outputs[0]].map((name) => typeOf(graph, name)?.shape?.slice(2));
  if (!isStatic(sizes) || !isStatic(counts)) return undefined;
  const of = (name: string, missing: number) => intsAttr(node, name) ?? kernel.map(() => missing);
  const [pads, strides, dilations] = [of("pads", 0), of("strides", 1), of("dilations", 1)];
  return kernel.reduce<number[]>(
    (shares, taps, axis) => {
      const own = Array.from({ length: taps }, (_, tap) => {
        const place = (result: number) => result * strides[axis] - pads[axis] + tap * dilations[axis];
        let seen = 0;
        for (let result = 0; result < counts[axis]; result++) {
          if (place(result) >= 0 && place(result) < sizes[axis]) seen++;
        }
        return seen / counts[axis];
      });
      return shares.flatMap((share) => own.map((each) => share * each));
    },
    [1],
  );
}
