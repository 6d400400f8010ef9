import {
  type Attr,
  attrs,
  elementCount,
  type Multipliers,
  type Node,
  type Quant,
  type Tensor,
} from "../../ir/graph.ts";
import { decode, encode } from "../../ir/numbers.ts";
import { stridesOf } from "../../ir/tensor.ts";

/**
 * Weights whose blocks have integer factors, as ONNX says blocks: a DequantizeLinear with `block_size` and a scale a block, the
 * channel's scale times the factor. A matrix keeps its shape. ONNX's blocks lie along one axis, and those of a filter run
 * through all axes but the channels': its codes become a matrix of a row a channel, which is brought to the filter's shape
 * behind the DequantizeLinear. Returns the constants that the nodes read.
 */
export function blockedWeights(
  name: string,
  codes: string,
  tensor: Tensor,
  multipliers: Multipliers,
  fresh: (hint: string) => string,
  nodes: Node[],
): [string, Tensor][] {
  const { shape, dtype } = tensor;
  const quant = tensor.quant as Quant;
  const axis = quant.axis ?? 0;
  const scales = fresh(`${name}/scale`);
  const add = (op: string, inputs: string[], output: string, given: Record<string, Attr>) =>
    nodes.push({ op, domain: "", inputs, outputs: [output], attrs: attrs(given), origin: [output] });
  const block = { i: multipliers.block };
  if (shape.length === 2) {
    add("DequantizeLinear", [codes, scales], name, { axis: { i: 1 - axis }, block_size: block });
    const made: Tensor = { dtype, shape, data: tensor.data };
    return [
      [codes, made],
      [scales, blockScales(quant, multipliers, axis === 0)],
    ];
  }
  const [channels, inner] = [shape[axis], stridesOf(shape)[axis]];
  const depth = elementCount(shape) / channels;
  const [rows, laid, order] = [fresh(`${name}/rows`), fresh(`${name}/laid`), fresh(`${name}/shape`)];
  const given = decode(tensor) as ArrayLike<number>;
  const turned = new Int8Array(given.length);
  for (let at = 0; at < turned.length; at++) {
    const [channel, place] = [Math.floor(at / depth), at % depth];
    turned[at] = given[Math.floor(place / inner) * inner * channels + channel * inner + (place % inner)];
  }
  add("DequantizeLinear", [codes, scales], rows, { axis: { i: 1 }, block_size: block });
  const others = shape.filter((_, at) => at !== axis);
  add("Reshape", [rows, order], axis === 0 ? name : laid, {});
  if (axis !== 0) {
    const perm = shape.map((_, at) => (at === axis ? 0 : at < axis ? at + 1 : at));
    add("Transpose", [laid], name, { perm: { ints: perm } });
  }
  const sizes = BigInt64Array.from([channels, ...others], BigInt);
  return [
    [codes, { dtype, shape: [channels, depth], data: encode(dtype, turned) }],
    [scales, blockScales(quant, multipliers, true)],
    [order, { dtype: "int64", shape: [sizes.length], data: sizes }],
  ];
}

/** Scales of blocks, a row for each channel, or a column. */
function blockScales({ scale }: Quant, { values }: Multipliers, inRows: boolean): Tensor {
  const channels = scale.length;
  const blocks = values.length / channels;
  const data = new Float32Array(values.length);
  for (let channel = 0; channel < channels; channel++) {
    for (let at = 0; at < blocks; at++) {
      data[inRows ? channel * blocks + at : at * channels + channel] = scale[channel] * values[channel * blocks + at];
    }
  }
  return { dtype: "float32", shape: inRows ? [channels, blocks] : [blocks, channels], data };
}
