/** What a graph's values are on average, measured by nodes that are put beside it. */
import { type Attr, attrs, freshName, type Graph, type Node, type Tensor } from "../ir/graph.ts";
import { int64, valuesOf } from "../ir/tensor.ts";
import { namesOf } from "../ir/uses.ts";
import { encodeModel } from "../onnx/write.ts";
import { createSession } from "../run/ort.ts";

/** Samples put beside each other along the first axis, as a model with a free batch size takes them. */
export type Batch = ReadonlyMap<string, Tensor>;

/** Adds a node and gives the name of its output. */
type Emit = (op: string, inputs: readonly (string | Tensor)[], set?: Readonly<Record<string, Attr>>) => string;

/** A float32 value of fixed size that some nodes make of the graph's values. */
export interface Probe {
  readonly key: string;
  readonly add: (emit: Emit) => string;
}

/** Key → the mean over the batches of what its probe gives; empty where there are no batches. */
export async function meansOf(graph: Graph, probes: readonly Probe[], batches: readonly Batch[]) {
  const names = namesOf(graph);
  const constants = new Map(graph.constants);
  const nodes: Node[] = [...graph.nodes];
  const fresh = (hint: string): string => {
    const name = freshName(hint, names);
    names.add(name);
    return name;
  };
  const emit: Emit = (op, inputs, set = {}) => {
    const output = fresh(`mean/${op}`);
    const read = inputs.map((input) => {
      if (typeof input === "string") return input;
      const name = fresh("mean/constant");
      constants.set(name, input);
      return name;
    });
    nodes.push({ op, domain: "", inputs: read, outputs: [output], attrs: attrs(set), origin: [] });
    return output;
  };
  const outputs = new Map(probes.map(({ key, add }): [string, string] => [key, add(emit)]));
  const found = new Map<string, Float64Array>();
  if (outputs.size === 0) return found;
  const session = await createSession(encodeModel({ ...graph, nodes, constants, outputs: [...outputs.values()] }));
  try {
    for (const batch of batches) {
      const values = await session.run(batch);
      for (const [key, name] of outputs) {
        const numbers = valuesOf(values.get(name) as Tensor) as Float32Array;
        const sum = found.get(key) ?? new Float64Array(numbers.length);
        for (const [index, each] of numbers.entries()) sum[index] += each / batches.length;
        found.set(key, sum);
      }
    }
  } finally {
    await session.release();
  }
  return found;
}

/**
 * Over all samples and places of a value: E[x·xᵀ] of its `size` channels along `axis`, and E[x] as one more column, [size, size + 1].
 */
export function momentProbe(
  value: string,
  { rank, axis, size }: { readonly rank: number; readonly axis: number; readonly size: number },
): Probe["add"] {
  const order = [axis, ...Array.from({ length: rank }, (_, each) => each).filter((each) => each !== axis)];
  return (emit) => {
    const turned = emit("Transpose", [value], { perm: { ints: order } });
    const flat = emit("Reshape", [turned, int64([2], [size, -1])]);
    const places = emit("Cast", [emit("Shape", [flat], { start: { i: 1 } })], { to: { i: 1 } });
    const products = emit("Div", [emit("Gemm", [flat, flat], { transB: { i: 1 } }), places]);
    return emit("Concat", [products, emit("ReduceMean", [flat, int64([1], [1])])], { axis: { i: 1 } });
  };
}
