/** Gradients against finite differences, in float64 under the interpreter. */
import {
  attrs,
  EMPTY_ATTRS,
  elementCount,
  type Graph,
  isStatic,
  makeGraph,
  type Node,
  type Tensor,
  type Type,
  typeOf,
} from "../../src/ir/graph.ts";
import { isFloat } from "../../src/ir/numbers.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { interpret } from "../../src/run/interpret.ts";
import { differentiate } from "../../src/train/differentiate.ts";

/** Numbers drawn uniformly from [low, high), or those given. */
export interface Drawn {
  readonly shape: readonly number[];
  readonly low?: number;
  readonly high?: number;
  readonly values?: readonly number[];
}

export interface GradientCase {
  readonly name: string;
  /** Statements of the graph notation; what they make and nothing reads is the output. */
  readonly text: string;
  /** Values to differentiate by, in float64: their shapes, or more. */
  readonly by: Readonly<Record<string, readonly number[] | Drawn>>;
  /** Lines of constants beside: `axes: int64[1] = [0]`. */
  readonly constants?: readonly string[];
  /** false: not for ONNX Runtime in float32. */
  readonly runtime?: boolean;
  /** Gradients for convolutions in blocks of as many channels. */
  readonly block?: number;
}

export interface GradientResult {
  readonly operators: readonly string[];
  readonly elements: number;
  /** Largest |analytic − numeric| of a value's gradient, over the largest |numeric| there (or 1e-3 if that is smaller). */
  readonly worst: number;
  readonly where: string;
}

const STEP = 1e-3;
const ONE_NUMBER = attrs({ keepdims: { i: 0 } });
const LEAST_SCALE = 1e-3;

function drawnOf(given: readonly number[] | Drawn): Drawn {
  return "shape" in given ? given : { shape: given };
}

function tensorOf({ shape, low = -1, high = 1, values }: Drawn, random: () => number): Tensor {
  const count = elementCount(shape);
  const data = Float64Array.from({ length: count }, (_, index) => values?.[index] ?? low + (high - low) * random());
  return { dtype: "float64", shape, data };
}

/** The case's graph with one number at its end: the outputs' elements, each times a random number, added. */
export function graphOf(given: GradientCase, dtype: "float64" | "float32" = "float64"): Graph {
  const inputs = Object.entries(given.by).map(([name, each]) => `input ${name}: ${dtype}[${drawnOf(each).shape}]`);
  const constants = (given.constants ?? []).map((line) => `const ${line.replaceAll("float64", dtype)}`);
  const bare = parse([...inputs, ...constants, given.text, `return ${firstOutput(given.text)}`].join("\n"));
  const graph = inferTypes(bare);
  const read = new Set(graph.nodes.flatMap((node) => node.inputs));
  const outputs = graph.nodes
    .flatMap((node) => node.outputs)
    .filter((name) => name !== "" && !read.has(name) && isFloat((typeOf(graph, name) as Type).dtype));
  return withLoss(graph, outputs, dtype);
}

function firstOutput(text: string): string {
  return text.trim().split("\n").at(-1)?.split("=")[0].split(",")[0].trim() ?? "";
}

/** Adds `loss`: the named values' elements, each times a seeded random number, added. */
export function withLoss(graph: Graph, outputs: readonly string[], dtype: "float64" | "float32"): Graph {
  const random = seededRandom("coefficients");
  const constants = new Map(graph.constants);
  const nodes: Node[] = [...graph.nodes];
  const node = (op: string, inputs: readonly string[], output: string): string => {
    nodes.push({
      op,
      domain: "",
      inputs,
      outputs: [output],
      attrs: op === "ReduceSum" ? ONE_NUMBER : EMPTY_ATTRS,
      origin: [],
    });
    return output;
  };
  const parts = outputs.map((name, index) => {
    const shape = typeOf(graph, name)?.shape;
    if (!isStatic(shape)) throw new Error(`the shape of ${name} is not known`);
    const data = Float64Array.from({ length: elementCount(shape) }, () => 2 * random() - 1);
    constants.set(`c/${index}`, { dtype, shape, data: dtype === "float64" ? data : Float32Array.from(data) });
    return node("ReduceSum", [node("Mul", [name, `c/${index}`], `weighted/${index}`)], `part/${index}`);
  });
  node("Sum", parts, "loss");
  return inferTypes(makeGraph({ ...graph, nodes, constants, outputs: ["loss"] }));
}

/** Values for the case's inputs, in float64. */
export function feedsOf(given: GradientCase): Map<string, Tensor> {
  const random = seededRandom(given.name);
  return new Map(Object.entries(given.by).map(([name, each]) => [name, tensorOf(drawnOf(each), random)]));
}

/** The same in float32. */
export function singleFeedsOf(given: GradientCase): Map<string, Tensor> {
  return new Map([...feedsOf(given)].map(([name, tensor]) => [name, float32(tensor.shape, numbersOf(tensor))]));
}

/** Compares every element of every gradient with a central difference, extrapolated once from two steps. */
export function checkGradient(given: GradientCase): GradientResult {
  const graph = graphOf(given);
  const feeds = feedsOf(given);
  const names = Object.keys(given.by);
  const { block } = given;
  const step = differentiate(graph, { loss: "loss", parameters: names, ...(block === undefined ? {} : { block }) });
  const found = interpret(step, feeds);
  const lossAt = (name: string, data: Float64Array): number => {
    const { shape } = feeds.get(name) as Tensor;
    const moved = new Map(feeds).set(name, { dtype: "float64", shape, data });
    return numbersOf(interpret(graph, moved).get("loss") as Tensor)[0];
  };
  let [worst, where, elements] = [0, "", 0];
  for (const name of names) {
    const analytic = numbersOf(found.get(step.outputs[1 + names.indexOf(name)]) as Tensor);
    const base = numbersOf(feeds.get(name) as Tensor);
    const numeric = base.map((_, at) => differenceAt(base, at, (data) => lossAt(name, data)));
    if (analytic.length !== base.length) throw new Error(`${given.name}: the gradient by ${name} has another size`);
    const scale = Math.max(LEAST_SCALE, ...numeric.map(Math.abs));
    elements += base.length;
    numeric.forEach((value, at) => {
      const error = Math.abs(analytic[at] - value) / scale;
      if (!(error <= worst)) [worst, where] = [error, `${name}[${at}]: ${analytic[at]} against ${value}`];
    });
  }
  const operators = [...new Set(parse(bodyOf(given)).nodes.map((node) => node.op))];
  return { operators, elements, worst, where };
}

function bodyOf(given: GradientCase): string {
  const names = [...Object.keys(given.by), ...(given.constants ?? []).map((line) => line.split(":")[0])];
  return [...names.map((name) => `input ${name}: float64`), given.text, `return ${firstOutput(given.text)}`].join("\n");
}

/** (4·D(h/2) − D(h))/3 for D(h) = (f(x + h) − f(x − h))/2h: exact up to h⁴. */
function differenceAt(base: readonly number[], at: number, loss: (data: Float64Array) => number): number {
  const slope = (h: number): number => {
    const [up, down] = [1, -1].map((sign) => loss(Float64Array.from(base).fill(base[at] + sign * h, at, at + 1)));
    return (up - down) / (2 * h);
  };
  return (4 * slope(STEP / 2) - slope(STEP)) / 3;
}

/** Away from zero, where functions have corners or end. */
export const positive = (...shape: number[]): Drawn => ({ shape, low: 0.3, high: 2 });
