/** What `infer` functions share: reading input types, checking them, and arithmetic on dimensions that may be symbolic. */
import { CompileError } from "../../error.ts";
import { type Dim, type DType, intAttr, logical, type Node, type Type } from "../../ir/graph.ts";
import type { InferContext, Op } from "../op.ts";
import { integersOf } from "./integers.ts";

export const FLOATS: readonly DType[] = ["float32", "float64", "float16", "bfloat16"];
export const SIGNED: readonly DType[] = ["int8", "int16", "int32", "int64"];
export const UNSIGNED: readonly DType[] = ["uint8", "uint16", "uint32", "uint64"];
export const INTEGERS: readonly DType[] = [...SIGNED, ...UNSIGNED];
export const NUMBERS: readonly DType[] = [...FLOATS, ...INTEGERS];
export const BOOL: readonly DType[] = ["bool"];
export const INDICES: readonly DType[] = ["int32", "int64"];

/** The node in the user's words: its own name and its operator. */
export function nameOfNode(node: Node): string {
  return `node ${node.origin[0] ?? node.outputs.find((output) => output !== "") ?? "?"} (${node.op})`;
}

/** Throws the user's error for a node that the operator's definition does not allow. */
export function reject(node: Node, message: string, remedy?: string): never {
  throw new CompileError("model/invalid-node", message, {
    where: nameOfNode(node),
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** `input 1 "w"`: how an input is called in messages. */
export function nameOfInput(node: Node, index: number): string {
  return `input ${index} "${node.inputs[index] ?? ""}"`;
}

/**
 * The type of a required input as the operator sees it (quantized codes are float32). `allowed` lists the dtypes that
 * the operator takes; all if left out. Throws model/invalid-node.
 */
export function typeAt(
  node: Node,
  inputs: readonly (Type | undefined)[],
  index: number,
  allowed?: readonly DType[],
): Type {
  const type = optionalTypeAt(node, inputs, index, allowed);
  if (type === undefined) {
    const present = (node.inputs[index] ?? "") !== "";
    reject(node, present ? `the type of ${nameOfInput(node, index)} is not known` : `input ${index} is missing`);
  }
  return type;
}

/** As `typeAt`, for an input that may be absent. */
export function optionalTypeAt(
  node: Node,
  inputs: readonly (Type | undefined)[],
  index: number,
  allowed?: readonly DType[],
): Type | undefined {
  const given = inputs[index];
  if (given === undefined) return undefined;
  const type = logical(given);
  if (allowed && !allowed.includes(type.dtype)) {
    reject(node, `${nameOfInput(node, index)} is ${type.dtype}; ${node.op} takes ${allowed.join(", ")}`);
  }
  return type;
}

/** Throws unless the two inputs have one dtype. */
export function requireSameDType(
  node: Node,
  inputs: readonly (Type | undefined)[],
  first: number,
  other: number,
): void {
  const [a, b] = [typeAt(node, inputs, first), optionalTypeAt(node, inputs, other)];
  if (b && a.dtype !== b.dtype) {
    reject(node, `${nameOfInput(node, first)} is ${a.dtype} but ${nameOfInput(node, other)} is ${b.dtype}`);
  }
}

/** Throws unless the rank is known to lie in the range, or is not known. */
export function requireRank(
  node: Node,
  type: Type,
  index: number,
  least: number,
  most = Number.POSITIVE_INFINITY,
): void {
  const rank = type.shape?.length;
  if (rank === undefined || (rank >= least && rank <= most)) return;
  const wanted =
    least === most ? `${least}` : most === Number.POSITIVE_INFINITY ? `at least ${least}` : `${least}–${most}`;
  reject(node, `${nameOfInput(node, index)} has rank ${rank}; ${node.op} needs rank ${wanted}`);
}

/** A plain type; the shape may be unknown. */
export function makeType(dtype: DType, shape?: readonly Dim[]): Type {
  return shape === undefined ? { dtype } : { dtype, shape };
}

/** More dimensions than any tensor in a file may have: a rank beyond comes from a damaged model. */
const MAX_RANK = 64;

/** A shape of unnamed dimensions. The rank may be a size from the file, so a RangeError tells one that is none. */
export function unknownShape(rank: number): Dim[] {
  if (rank > MAX_RANK) throw new RangeError(`a tensor of ${rank} dimensions`);
  return new Array<Dim>(rank).fill("?");
}

/** `infer` of an operator whose one output has the type of input 0. */
export function sameType(allowed?: readonly DType[]): Op["infer"] {
  return (node, inputs) => [typeAt(node, inputs, 0, allowed)];
}

/** An axis in [0, rank), from one that may count from the end. `reach` = 1 also allows `rank` itself (Flatten, Unsqueeze). */
export function resolveAxis(node: Node, axis: number, rank: number, reach = 0): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(resolved) && resolved >= 0 && resolved < rank + reach) return resolved;
  return reject(node, `axis ${axis} does not fit rank ${rank}`);
}

/** The `axis` attribute, resolved. */
export function axisAttr(node: Node, rank: number, fallback: number, reach = 0): number {
  return resolveAxis(node, intAttr(node, "axis", fallback), rank, reach);
}

/** The integers of a constant input; undefined where the input is absent or computed at run time. */
export function constantIntegers(context: InferContext, index: number): number[] | undefined {
  const tensor = context.constant(index);
  return tensor === undefined ? undefined : integersOf(tensor);
}

/** Sum of dimensions; unnamed where a symbol takes part (a symbol plus 0 stays itself). */
export function addDims(...dims: readonly Dim[]): Dim {
  const symbols = dims.filter((dim) => typeof dim === "string");
  const total = dims.reduce<number>((sum, dim) => (typeof dim === "number" ? sum + dim : sum), 0);
  if (symbols.length === 0) return total;
  return symbols.length === 1 && total === 0 ? symbols[0] : "?";
}

/** Product of dimensions; unnamed where a symbol takes part (a symbol times 1 stays itself, times 0 is 0). */
export function multiplyDims(dims: readonly Dim[]): Dim {
  const symbols = dims.filter((dim) => typeof dim === "string");
  const total = dims.reduce<number>((product, dim) => (typeof dim === "number" ? product * dim : product), 1);
  if (symbols.length === 0 || total === 0) return total;
  return symbols.length === 1 && total === 1 ? symbols[0] : "?";
}

/** Number of elements for counting work: dimensions that are not known count 1. */
export function sizeOf(dims: readonly Dim[] | undefined): number {
  return (dims ?? []).reduce<number>((product, dim) => (typeof dim === "number" ? product * dim : product), 1);
}

/** `compute` of a known number; unnamed for a symbol. */
export function mapDim(dim: Dim, compute: (size: number) => number): Dim {
  return typeof dim === "number" ? compute(dim) : "?";
}

/**
 * The dimension that two must share: a number wins over a symbol, a name over "?". Throws model/invalid-node, saying
 * `what`, where two numbers differ.
 */
export function unifyDims(node: Node, a: Dim, b: Dim, what: string): Dim {
  if (typeof a === "number" && typeof b === "number" && a !== b) reject(node, `${what}: ${a} against ${b}`);
  if (typeof a === "number") return a;
  return typeof b === "number" || a === "?" ? b : a;
}

/** NumPy broadcasting of one dimension; undefined where two numbers do not go together. */
function broadcastDim(a: Dim, b: Dim): Dim | undefined {
  if (a === b || b === 1) return a;
  if (a === 1) return b;
  if (typeof a === "number") return typeof b === "number" ? undefined : a;
  return typeof b === "number" ? b : "?";
}

/** NumPy broadcasting of shapes that may be symbolic; undefined where any rank is unknown. Throws model/shape-mismatch. */
export function broadcastDims(node: Node, shapes: readonly (readonly Dim[] | undefined)[]): Dim[] | undefined {
  let result: Dim[] = [];
  for (const shape of shapes) {
    if (shape === undefined) return undefined;
    const rank = Math.max(result.length, shape.length);
    const next: Dim[] = [];
    for (let axis = 0; axis < rank; axis++) {
      const a = result[axis - rank + result.length] ?? 1;
      const b = shape[axis - rank + shape.length] ?? 1;
      const dim = broadcastDim(a, b);
      if (dim === undefined) {
        const shown = shapes.map((each) => `[${each ?? "?"}]`).join(" and ");
        throw new CompileError("model/shape-mismatch", `the shapes ${shown} do not broadcast`, {
          where: nameOfNode(node),
        });
      }
      next.push(dim);
    }
    result = next;
  }
  return result;
}
