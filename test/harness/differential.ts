import { expect } from "vitest";
import {
  type DType,
  elementCount,
  type Graph,
  isStatic,
  type RuntimeValue,
  type Tensor,
  typeOf,
} from "../../src/ir/graph.ts";
import { decode, encode } from "../../src/ir/numbers.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { parse } from "../../src/ir/text.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { interpret } from "../../src/run/interpret.ts";
import { createSession } from "../../src/run/ort.ts";

export interface DifferentialOptions {
  /** Largest |Δ| / max(1, |expected|). Zero by default for integers. */
  readonly tolerance?: number;
  /** Range of the random feeds. */
  readonly low?: number;
  readonly high?: number;
  readonly feeds?: Readonly<Record<string, Tensor>>;
}

/** Random numbers of any dtype: floats in [low, high), integers and booleans inside it rounded down. */
export function randomTensor(dtype: DType, shape: readonly number[], seed: number, low: number, high: number): Tensor {
  const random = seededRandom(seed);
  const whole = !/float/.test(dtype);
  const least = dtype === "bool" || dtype.startsWith("u") ? 0 : low;
  const most = dtype === "bool" ? 2 : high;
  const values = Array.from({ length: elementCount(shape) }, () => {
    const value = least + (most - least) * random();
    return whole ? Math.floor(value) : value;
  });
  return { dtype, shape, data: encode(dtype, values) };
}

/** Seeded feeds for a graph's inputs, whose shapes must be known. */
export function randomFeeds(graph: Graph, options: DifferentialOptions = {}): Map<string, Tensor> {
  const { low = -3, high = 3, feeds = {} } = options;
  return new Map(
    graph.inputs.map((name, index) => {
      const type = typeOf(graph, name);
      if (type === undefined || !isStatic(type.shape)) throw new Error(`the test's input ${name} has no known shape`);
      return [name, feeds[name] ?? randomTensor(type.dtype, type.shape, index + 1, low, high)];
    }),
  );
}

/** Fails unless the interpreter and ONNX Runtime give the same dtypes, shapes and numbers, as does type inference. */
export async function expectSameAsRuntime(text: string, options: DifferentialOptions = {}): Promise<void> {
  const graph = inferTypes(parse(text));
  const feeds = randomFeeds(graph, options);
  const session = await createSession(encodeModel(graph), { optimization: "disabled" });
  const expected = await session.run(feeds);
  await session.release();
  const actual = interpret(graph, feeds);
  for (const name of graph.outputs) {
    const [ours, theirs] = [actual.get(name), expected.get(name)];
    expectClose(name, ours, theirs, options.tolerance ?? 1e-5);
    expect(typeOf(graph, name)?.dtype, `inferred dtype of ${name}`).toBe(theirs?.dtype);
    const inferred = typeOf(graph, name)?.shape;
    if (isStatic(inferred)) expect(inferred, `inferred shape of ${name}`).toEqual(theirs?.shape);
  }
}

function expectClose(name: string, ours: RuntimeValue, theirs: Tensor | undefined, tolerance: number): void {
  if (ours === undefined || Array.isArray(ours) || theirs === undefined) throw new Error(`${name} is no tensor`);
  const tensor = ours as Tensor;
  expect([tensor.dtype, ...tensor.shape], `type of ${name}`).toEqual([theirs.dtype, ...theirs.shape]);
  if (theirs.dtype === "string") {
    expect(tensor.data).toEqual(theirs.data);
    return;
  }
  const [a, b] = [decode(tensor), decode(theirs)];
  const allowed = /float/.test(theirs.dtype) ? tolerance : 0;
  for (let index = 0; index < b.length; index++) {
    const [x, y] = [Number(a[index]), Number(b[index])];
    if (Object.is(x, y) || x === y) continue;
    const error = Math.abs(x - y) / Math.max(1, Math.abs(y));
    if (!(error <= allowed)) throw new Error(`${name}[${index}]: ${x} here, ${y} in ONNX Runtime`);
  }
}
