import { attrs, type DType, type Graph, makeGraph, type Node } from "../../ir/graph.ts";
import { makeTensor } from "../../ir/tensor.ts";
import { encodeModel } from "../../onnx/write.ts";
import { createSession, type Session } from "../../run/ort.ts";

/**
 * Products of matrices, row-major, by ONNX Runtime on one thread: the order of its additions then depends on the sizes alone,
 * and so do the results.
 */
export interface Algebra {
  /** a [m, k] · b [k, n], in doubles. */
  multiply(a: Float64Array, m: number, k: number, b: Float64Array, n: number): Promise<Float64Array>;
  /** aᵀ·b for each group: a [groups, count, depth], b alike → [groups, depth, depth], in single precision. */
  correlate(a: Float32Array, b: Float32Array, groups: number, count: number, depth: number): Promise<Float32Array>;
  release(): Promise<void>;
}

/** Below this many multiplications a call costs more than the work. */
const SMALL = 32768;

export function openAlgebra(): Algebra {
  // A session is made when it is first needed: small networks never leave JavaScript.
  let products: Promise<Session> | undefined;
  let correlations: Promise<Session> | undefined;
  return {
    async multiply(a, m, k, b, n) {
      if (m * k * n <= SMALL) return multiplyHere(a, m, k, b, n);
      products ??= createSession(encodeModel(productGraph("float64", 2, [])), { threads: 1 });
      const session = await products;
      const feeds = new Map([
        ["a", makeTensor("float64", [m, k], a)],
        ["b", makeTensor("float64", [k, n], b)],
      ]);
      return (await session.run(feeds)).get("y")?.data as Float64Array;
    },
    async correlate(a, b, groups, count, depth) {
      correlations ??= createSession(encodeModel(productGraph("float32", 3, [transpose("a", "at")])), { threads: 1 });
      const session = await correlations;
      const shape = [groups, count, depth];
      const feeds = new Map([
        ["a", makeTensor("float32", shape, a)],
        ["b", makeTensor("float32", shape, b)],
      ]);
      return (await session.run(feeds)).get("y")?.data as Float32Array;
    },
    async release() {
      for (const session of [products, correlations]) await (await session)?.release();
    },
  };
}

function multiplyHere(a: Float64Array, m: number, k: number, b: Float64Array, n: number): Float64Array {
  const result = new Float64Array(m * n);
  for (let row = 0; row < m; row++) {
    for (let at = 0; at < k; at++) {
      const factor = a[row * k + at];
      for (let column = 0; column < n; column++) result[row * n + column] += factor * b[at * n + column];
    }
  }
  return result;
}

function productGraph(dtype: DType, rank: number, before: readonly Node[]): Graph {
  const shape = (name: string) => Array.from({ length: rank }, (_, axis) => `${name}${axis}`);
  const left = before.length > 0 ? "at" : "a";
  return makeGraph({
    inputs: ["a", "b"],
    outputs: ["y"],
    nodes: [...before, { op: "MatMul", domain: "", inputs: [left, "b"], outputs: ["y"], attrs: attrs({}), origin: [] }],
    types: new Map(["a", "b", "y", left].map((name) => [name, { dtype, shape: shape(name) }])),
  });
}

function transpose(from: string, to: string): Node {
  const perm = { ints: [0, 2, 1] };
  return { op: "Transpose", domain: "", inputs: [from], outputs: [to], attrs: attrs({ perm }), origin: [] };
}
