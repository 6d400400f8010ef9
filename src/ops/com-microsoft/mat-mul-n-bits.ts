import {
  type Dim,
  type DType,
  elementCount,
  intAttr,
  type Node,
  type RuntimeValue,
  type Tensor,
} from "../../ir/graph.ts";
import { valuesOf } from "../../ir/tensor.ts";
import type { Op } from "../op.ts";
import { multiply, productDims, productMacs } from "../shared/matmul.ts";
import { FLOATS, makeType, optionalTypeAt, reject, typeAt } from "../shared/types.ts";
import { doublesOf, fromDoubles, integersOf, optionalTensorAt, tensorAt } from "../shared/values.ts";

interface Packing {
  readonly depth: number;
  readonly columns: number;
  readonly bits: number;
  readonly block: number;
  /** Blocks a column. */
  readonly blocks: number;
}

function packingOf(node: Node): Packing {
  const [depth, columns] = [intAttr(node, "K", 0), intAttr(node, "N", 0)];
  const [bits, block] = [intAttr(node, "bits", 4), intAttr(node, "block_size", 0)];
  if (depth < 1 || columns < 1 || block < 1) reject(node, `K ${depth}, N ${columns}, block_size ${block}`);
  if (![2, 4, 8].includes(bits)) reject(node, `codes of ${bits} bits are not known`);
  return { depth, columns, bits, block, blocks: Math.ceil(depth / block) };
}

/** Code `index` of bytes in which codes of 2, 4 or 8 bits lie, low bits first. */
function codeAt(bytes: Uint8Array, index: number, bits: number): number {
  const perByte = 8 / bits;
  return (bytes[Math.floor(index / perByte)] >> ((index % perByte) * bits)) & (2 ** bits - 1);
}

/** Zero points [N, blocks]: packed in bytes a row at a time, as numbers if they have a float type; 2^(bits − 1) if absent. */
function zeroOf(packing: Packing, zeros: Tensor | undefined): (column: number, block: number) => number {
  const { bits, blocks } = packing;
  if (zeros === undefined) return () => 2 ** (bits - 1);
  if (zeros.dtype !== "uint8") {
    const numbers = doublesOf(zeros);
    return (column, block) => numbers[column * blocks + block];
  }
  const bytes = valuesOf(zeros) as Uint8Array;
  const row = Math.ceil((blocks * bits) / 8) * (8 / bits);
  return (column, block) => codeAt(bytes, column * row + block, bits);
}

/** The weights [K, N]: (code − zero point) · scale. */
function weightsOf(node: Node, packing: Packing, inputs: readonly RuntimeValue[]): Float64Array {
  const { depth, columns, bits, block, blocks } = packing;
  const codes = tensorAt(node, inputs, 1);
  const scales = doublesOf(tensorAt(node, inputs, 2));
  const zero = zeroOf(packing, optionalTensorAt(node, inputs, 3));
  const groups = optionalTensorAt(node, inputs, 4);
  const groupOf = groups && integersOf(groups);
  const perBlock = Math.ceil((block * bits) / 8) * (8 / bits);
  if (elementCount(codes.shape) * (8 / bits) !== columns * blocks * perBlock || scales.length !== columns * blocks) {
    reject(node, `codes of [${codes.shape}] and ${scales.length} scales do not fit K ${depth}, N ${columns}`);
  }
  const bytes = valuesOf(codes) as Uint8Array;
  return Float64Array.from({ length: depth * columns }, (_, position) => {
    const [k, column] = [Math.floor(position / columns), position % columns];
    const at = Math.floor(k / block);
    const group = groupOf?.[k] ?? at;
    const code = codeAt(bytes, (column * blocks + at) * perBlock + (k % block), bits);
    return (code - zero(column, group)) * scales[column * blocks + group];
  });
}

/** The constant weights [K, N] of a product whose inputs, as far as they are constant, are `inputs`, in floats of a type. */
export function unpackedNBits(node: Node, inputs: readonly RuntimeValue[], dtype: DType): Tensor {
  const packing = packingOf(node);
  return fromDoubles(dtype, [packing.depth, packing.columns], weightsOf(node, packing, inputs));
}

/** A · B (+ bias) with B stored in codes of a few bits: [N, blocks, bytes], a scale and a zero point a block of K. */
const op: Op = {
  infer(node, inputs) {
    const a = typeAt(node, inputs, 0, FLOATS);
    typeAt(node, inputs, 1, ["uint8"]);
    typeAt(node, inputs, 2, FLOATS);
    optionalTypeAt(node, inputs, 3, ["uint8", ...FLOATS]);
    const { depth, columns } = packingOf(node);
    return [makeType(a.dtype, productDims(node, a.shape, [depth, columns] as Dim[]))];
  },
  evaluate(node, inputs) {
    const a = tensorAt(node, inputs, 0);
    const packing = packingOf(node);
    const bias = optionalTensorAt(node, inputs, 5);
    const weights = { shape: [packing.depth, packing.columns], values: weightsOf(node, packing, inputs) };
    const { shape, values } = multiply(node, { shape: a.shape, values: doublesOf(a) }, weights);
    const added = bias && doublesOf(bias);
    const result = values.map((value, index) => value + (added ? added[index % packing.columns] : 0));
    return [fromDoubles(a.dtype, shape, result)];
  },
  macs: (_, inputs, outputs) => productMacs(inputs[0]?.shape, outputs[0].shape),
};

export default op;
