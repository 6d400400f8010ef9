import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CompileError } from "../../src/error.ts";
import {
  type DType,
  elementCount,
  type Graph,
  type RuntimeValue,
  subgraphs,
  type Tensor,
  type Type,
} from "../../src/ir/graph.ts";
import { isFloat, decode as numbersOf } from "../../src/ir/numbers.ts";
import { decode } from "../../src/onnx/decode.ts";
import { normalise } from "../../src/onnx/normalise.ts";
import { readModel } from "../../src/onnx/read.ts";
import { decodeTensor } from "../../src/onnx/tensor.ts";
import { memorySource } from "../../src/onnx/wire.ts";
import { interpret } from "../../src/run/interpret.ts";
import type { SetUp } from "../../src/run/pool.ts";

/** As ONNX's own backend tests, with a little room near zero. */
const RELATIVE = 1e-3;
const ABSOLUTE = 1e-5;

export interface Task {
  readonly folder: string;
  /** The outputs are random: only their types and shapes can be compared. */
  readonly random: boolean;
}

export interface Outcome {
  readonly name: string;
  /** Every operator that the model uses, subgraphs included. */
  readonly operators: readonly string[];
  /** What went wrong; absent where the case passes. */
  readonly failure?: string;
}

/** Worker: runs one case. */
export const setUp: SetUp<undefined, Task, Outcome> = () => runCase;

function runCase({ folder, random }: Task): Outcome {
  const name = folder.split("/").slice(-2).join("/");
  let operators: readonly string[] = [];
  try {
    const model = readModel(join(folder, "model.onnx"));
    operators = operatorsOf(model);
    const graph = normalise(model);
    const sets = readdirSync(folder).filter((entry) => entry.startsWith("test_data_set_"));
    for (const set of sets.sort()) runSet(graph, model, join(folder, set), random);
    return { name, operators };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const failure = error instanceof CompileError ? `${error.code}: ${text}` : text;
    return { name, operators, failure: failure.split("\n", 1)[0] };
  }
}

function operatorsOf(graph: Graph, found: Set<string> = new Set()): string[] {
  for (const node of graph.nodes) {
    found.add(node.domain === "" ? node.op : `${node.domain}::${node.op}`);
    for (const [, inner] of subgraphs(node)) operatorsOf(inner, found);
  }
  return [...found];
}

function runSet(graph: Graph, model: Graph, folder: string, random: boolean): void {
  const feeds = new Map<string, Tensor>();
  for (const [index, name] of model.inputs.entries()) {
    const path = join(folder, `input_${index}.pb`);
    if (!existsSync(path)) continue;
    // The interpreter takes sequences too; its signature names what the compiler feeds.
    feeds.set(name, readValue(path, model.types.get(name)) as Tensor);
  }
  const outputs = interpret(graph, feeds);
  for (const [index, name] of graph.outputs.entries()) {
    const path = join(folder, `output_${index}.pb`);
    if (!existsSync(path)) continue;
    const difference = compare(outputs.get(name), readValue(path, model.types.get(name)), random);
    if (difference !== undefined) throw new Error(`output ${name}: ${difference}`);
  }
}

function readValue(path: string, type: Type | undefined): RuntimeValue {
  const source = memorySource(readFileSync(path));
  if (type?.container === "sequence") {
    return (decode("SequenceProto", source).tensorValues ?? []).map((tensor) => decodeTensor(tensor, path));
  }
  if (type?.container === "optional" || type?.container === "optional-sequence") {
    const { tensorValue, sequenceValue } = decode("OptionalProto", source);
    if (tensorValue) return decodeTensor(tensorValue, path);
    return sequenceValue?.tensorValues?.map((tensor) => decodeTensor(tensor, path));
  }
  const tensor = decodeTensor(decode("TensorProto", source), path);
  // numpy had no bfloat16: the data set's files hold its bits as uint16.
  return tensor.dtype === "uint16" && type?.dtype === "bfloat16" ? { ...tensor, dtype: "bfloat16" } : tensor;
}

/** A sentence where two values differ beyond the tolerance; integers and texts must be equal. */
function compare(actual: RuntimeValue, expected: RuntimeValue, random: boolean): string | undefined {
  if (actual === undefined || expected === undefined) {
    return actual === expected
      ? undefined
      : `${actual ? "a value" : "nothing"} for ${expected ? "a value" : "nothing"}`;
  }
  if (isList(actual) || isList(expected)) {
    if (!isList(actual) || !isList(expected)) return "a sequence and a tensor";
    if (actual.length !== expected.length) return `${actual.length} tensors for ${expected.length}`;
    for (const [index, tensor] of actual.entries()) {
      const difference = compareTensors(tensor, expected[index], random);
      if (difference) return `tensor ${index}: ${difference}`;
    }
    return undefined;
  }
  return compareTensors(actual, expected, random);
}

function isList(value: Tensor | readonly Tensor[]): value is readonly Tensor[] {
  return Array.isArray(value);
}

function compareTensors(actual: Tensor, expected: Tensor, random: boolean): string | undefined {
  if (actual.dtype !== expected.dtype) return `${actual.dtype} for ${expected.dtype}`;
  if (actual.shape.join() !== expected.shape.join()) return `shape [${actual.shape}] for [${expected.shape}]`;
  if (random) return undefined;
  const [ours, theirs] = [elements(actual), elements(expected)];
  const inexact = isInexact(actual.dtype);
  for (let index = 0; index < theirs.length; index++) {
    const [a, b] = [ours[index], theirs[index]];
    if (Object.is(a, b) || a === b) continue;
    const close = Math.abs(Number(a) - Number(b)) <= ABSOLUTE + RELATIVE * Math.abs(Number(b));
    if (!inexact || !close) return `element ${index} is ${a} for ${b}`;
  }
  return ours.length === elementCountOf(actual) ? undefined : `${ours.length} elements`;
}

function isInexact(dtype: DType): boolean {
  return isFloat(dtype) || dtype.startsWith("complex");
}

function elements(tensor: Tensor): ArrayLike<unknown> {
  return tensor.dtype === "string" ? (tensor.data as readonly string[]) : numbersOf(tensor);
}

function elementCountOf(tensor: Tensor): number {
  return elementCount(tensor.shape) * (tensor.dtype.startsWith("complex") ? 2 : 1);
}
