/** Networks for timing, written by calls: weights are seeded, and named as they are made. */
import {
  type Attr,
  attrs,
  type Dim,
  type DType,
  elementCount,
  type Graph,
  makeGraph,
  type Node,
  type Tensor,
  type Type,
} from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { int64 } from "../../src/ir/tensor.ts";

export interface Drafting {
  /** A weight drawn uniformly from ±bound, named after its node. */
  weight(name: string, shape: readonly number[], bound: number): string;
  filled(name: string, shape: readonly number[], value: number): string;
  constant(name: string, tensor: Tensor): string;
  node(op: string, inputs: readonly string[], attributes?: Readonly<Record<string, Attr>>): string;
  nodes(op: string, inputs: readonly string[], count: number, attributes?: Readonly<Record<string, Attr>>): string[];
  reshape(value: string, shape: readonly number[]): string;
}

/** A graph with the inputs given, whose one output is what `write` returns. */
export function draft(
  inputs: Readonly<Record<string, readonly [DType, readonly Dim[]]>>,
  write: (draft: Drafting) => string,
): Graph {
  const random = seededRandom("weights");
  const constants = new Map<string, Tensor>();
  const nodes: Node[] = [];
  const put = (name: string, tensor: Tensor): string => {
    constants.set(name, tensor);
    return name;
  };
  const emit: Drafting["nodes"] = (op, from, count, attributes = {}) => {
    const outputs = Array.from(
      { length: count },
      (_, index) => `${op.toLowerCase()}${nodes.length}${index > 0 ? `.${index}` : ""}`,
    );
    nodes.push({ op, domain: "", inputs: from, outputs, attrs: attrs(attributes), origin: [outputs[0]] });
    return outputs;
  };
  const output = write({
    weight: (name, shape, bound) =>
      put(name, {
        dtype: "float32",
        shape,
        data: Float32Array.from({ length: elementCount(shape) }, () => (2 * random() - 1) * bound),
      }),
    filled: (name, shape, value) =>
      put(name, { dtype: "float32", shape, data: new Float32Array(elementCount(shape)).fill(value) }),
    constant: put,
    node: (op, from, attributes) => emit(op, from, 1, attributes)[0],
    nodes: emit,
    reshape: (value, shape) => emit("Reshape", [value, put(`shape[${shape}]`, int64([shape.length], shape))], 1)[0],
  });
  const types = Object.entries(inputs).map(([name, [dtype, shape]]): [string, Type] => [name, { dtype, shape }]);
  return makeGraph({ inputs: Object.keys(inputs), outputs: [output], nodes, constants, types: new Map(types) });
}
