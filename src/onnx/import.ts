import { CompileError } from "../error.ts";
import {
  type Dim,
  type DType,
  elementCount,
  type Graph,
  isStatic,
  type State,
  type Tensor,
  type Type,
} from "../ir/graph.ts";
import { encode, integerRange, isFloat } from "../ir/numbers.ts";
import { checkFinite } from "./normalise/finite.ts";
import { normalise } from "./normalise.ts";
import { readModel } from "./read.ts";

/** A number, or nested lists of numbers, as a recipe writes a tensor. */
export type Literal = number | bigint | boolean | string | readonly Literal[];

/** What a recipe says about one input: its shape, its value for ever, or the output that it is fed from. */
export type InputBinding =
  | { readonly shape?: readonly number[] }
  | { readonly value: Literal | Tensor; readonly shape?: readonly number[] }
  | { readonly from: string; readonly init: Literal | Tensor; readonly shape?: readonly number[] };

export interface Bindings {
  readonly inputs?: ReadonlyMap<string, InputBinding>;
  /** Symbolic dimensions by name, for all values that have them. */
  readonly dims?: ReadonlyMap<string, number>;
}

/**
 * Reads a model for compilation: symbolic dimensions bound, constant inputs made constants, states named, every operator in
 * canonical form, every value typed.
 * Throws CompileError: usage/unknown-input, usage/bad-binding, usage/unbound-dimension for the bindings; model/… for the model.
 */
export function importOnnx(path: string, bindings: Bindings = {}): Graph {
  const graph = normalise(bindInputs(readModel(path), bindings));
  checkFinite(graph);
  return graph;
}

/** Binds a graph's inputs; the graph's own opset and nodes stay as they are. */
export function bindInputs(graph: Graph, bindings: Bindings): Graph {
  const given = bindings.inputs ?? new Map<string, InputBinding>();
  for (const name of given.keys()) {
    if (graph.inputs.includes(name)) continue;
    throw new CompileError("usage/unknown-input", `the model has no input "${name}"`, {
      where: `inputs.${name}`,
      remedy: `its inputs are ${graph.inputs.map((input) => `"${input}"`).join(", ")}`,
    });
  }
  const dims = new Map(bindings.dims ?? []);
  for (const name of graph.inputs) bindShape(graph, name, given.get(name)?.shape, dims);

  const types = new Map<string, Type>();
  for (const [name, type] of graph.types) types.set(name, bound(type, dims, given.get(name)?.shape));
  const constants = new Map(graph.constants);
  const states: State[] = [...graph.states];
  for (const name of graph.inputs) {
    const binding = given.get(name);
    const type = types.get(name) as Type;
    if (binding && "value" in binding) {
      constants.set(name, tensorFor(binding.value, type, name));
      types.delete(name);
      continue;
    }
    if (type.container === undefined && !isStatic(type.shape)) throw unbound(name, type.shape);
    if (binding && "from" in binding) {
      if (!graph.outputs.includes(binding.from)) {
        throw new CompileError("usage/bad-binding", `the model has no output "${binding.from}"`, {
          where: `inputs.${name}.from`,
          remedy: `its outputs are ${graph.outputs.map((output) => `"${output}"`).join(", ")}`,
        });
      }
      states.push({ input: name, output: binding.from, init: tensorFor(binding.init, type, name) });
    }
  }
  const inputs = graph.inputs.filter((name) => !constants.has(name));
  // What the file says about computed values was said for free dimensions; inference tells it again for bound ones.
  for (const name of types.keys()) if (!inputs.includes(name) && !isStatic(types.get(name)?.shape)) types.delete(name);
  return { ...graph, inputs, types, constants, states };
}

function unbound(name: string, shape: readonly Dim[] | undefined): CompileError {
  const said = shape === undefined ? "no shape" : `the shape [${shape.join(", ")}]`;
  const example =
    shape?.map((dim, axis) => (typeof dim === "number" ? dim : axis === 0 ? 1 : "…")).join(", ") ?? "1, …";
  return new CompileError("usage/unbound-dimension", `the input "${name}" has ${said}; the chip needs fixed sizes`, {
    where: `inputs.${name}`,
    remedy: `give its shape in the recipe, for example inputs: { ${name}: { shape: [${example}] } }`,
  });
}

/** Takes a given shape's sizes for the symbols in the declared one. */
function bindShape(graph: Graph, name: string, shape: readonly number[] | undefined, dims: Map<string, number>): void {
  if (shape === undefined) return;
  const where = `inputs.${name}.shape`;
  if (shape.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
    throw new CompileError("usage/bad-binding", `[${shape.join(", ")}] is not a shape`, { where });
  }
  const declared = graph.types.get(name)?.shape;
  if (declared === undefined) return;
  if (declared.length !== shape.length) {
    throw new CompileError("usage/bad-binding", `the input "${name}" has ${declared.length} dimensions`, {
      where,
      remedy: `the model says [${declared.join(", ")}]`,
    });
  }
  for (const [axis, dim] of declared.entries()) {
    const size = shape[axis];
    const known = typeof dim === "number" ? dim : dims.get(dim);
    if (known !== undefined && known !== size && dim !== "?") {
      throw new CompileError("usage/bad-binding", `dimension ${axis} of "${name}" is ${known} and not ${size}`, {
        where,
        remedy: `the model says [${declared.join(", ")}]`,
      });
    }
    if (typeof dim === "string" && dim !== "?") dims.set(dim, size);
  }
}

function bound(type: Type, dims: ReadonlyMap<string, number>, given: readonly number[] | undefined): Type {
  if (given) return { ...type, shape: given };
  if (type.shape === undefined || isStatic(type.shape)) return type;
  return { ...type, shape: type.shape.map((dim) => (typeof dim === "string" ? (dims.get(dim) ?? dim) : dim)) };
}

/** A recipe's value as a tensor of the input's type. A single number fills the whole shape. */
function tensorFor(value: Literal | Tensor, type: Type, name: string): Tensor {
  const where = `inputs.${name}`;
  if (isTensor(value)) {
    if (value.dtype === type.dtype) return value;
    throw new CompileError("usage/bad-binding", `"${name}" is ${type.dtype} and the value ${value.dtype}`, { where });
  }
  const flat: (number | bigint | boolean | string)[] = [];
  const own = flatten(value, flat, where);
  const shape = type.shape === undefined || !isStatic(type.shape) ? own : [...type.shape];
  const count = elementCount(shape);
  if (flat.length !== count && (own.length > 0 || flat.length !== 1)) {
    throw new CompileError("usage/bad-binding", `[${shape}] takes ${count} values and ${flat.length} are given`, {
      where,
    });
  }
  const all = flat.length === count ? flat : new Array<number | bigint | boolean | string>(count).fill(flat[0]);
  if (type.dtype === "string") return { dtype: "string", shape, data: all.map(String) };
  const numbers = all.map((item) => {
    if (typeof item === "string") {
      throw new CompileError("usage/bad-binding", `"${item}" is not a number`, { where });
    }
    const number = typeof item === "bigint" ? item : Number(item);
    if (!fits(number, type.dtype)) {
      throw new CompileError("usage/bad-binding", `${number} is not a value of type ${type.dtype}`, { where });
    }
    return number;
  });
  return { dtype: type.dtype, shape, data: encode(type.dtype, numbers) };
}

function fits(value: number | bigint, dtype: DType): boolean {
  if (dtype === "int64" || dtype === "uint64") {
    const wide = dtype === "int64" ? BigInt.asIntN : BigInt.asUintN;
    return (typeof value === "bigint" || Number.isInteger(value)) && wide(64, BigInt(value)) === BigInt(value);
  }
  if (isFloat(dtype) || dtype.startsWith("complex")) return true;
  const [low, high] = integerRange(dtype);
  return (typeof value === "bigint" || Number.isInteger(value)) && value >= low && value <= high;
}

function isTensor(value: Literal | Tensor): value is Tensor {
  return typeof value === "object" && "dtype" in value;
}

/** Puts nested lists in a row; returns their shape. */
function flatten(value: Literal, into: (number | bigint | boolean | string)[], where: string): number[] {
  if (typeof value !== "object") {
    into.push(value);
    return [];
  }
  const shapes = value.map((item) => flatten(item, into, where));
  const ragged = shapes.some((shape) => shape.join() !== shapes[0].join());
  if (ragged) throw new CompileError("usage/bad-binding", "the lists have different lengths", { where });
  return [value.length, ...(shapes[0] ?? [])];
}
