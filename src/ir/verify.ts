import {
  byteSize,
  elementCount,
  type Graph,
  isStatic,
  type Quant,
  subgraphs,
  type Tensor,
  type Type,
} from "./graph.ts";
import { arrayLength, isLazy } from "./tensor.ts";

/** The names that graphs around a subgraph have made so far, innermost first. */
type Scopes = readonly ReadonlySet<string>[];

/**
 * Is the graph sound? Undefined if so, else a sentence that goes after "broke the graph: ". Looks at names, order,
 * constants' sizes, quantization against shapes, and states; not at what operators allow (`inferTypes` does).
 */
export function verify(graph: Graph): string | undefined {
  return verifyScope(graph, []) ?? verifyStates(graph);
}

function verifyScope(graph: Graph, outer: Scopes): string | undefined {
  const made = new Set<string>(graph.constants.keys());
  const scopes: Scopes = [made, ...outer];
  const isKnown = (name: string): boolean => scopes.some((scope) => scope.has(name));
  const inputs = new Set<string>();
  for (const name of graph.inputs) {
    if (name === "") return "an input has no name";
    if (inputs.has(name) || outer.some((scope) => scope.has(name))) return `"${name}" is made twice`;
    inputs.add(name);
    made.add(name);
  }
  for (const [name, tensor] of graph.constants) {
    const wrong = verifyTensor(tensor);
    if (wrong !== undefined) return `the constant "${name}" ${wrong}`;
  }
  for (const node of graph.nodes) {
    for (const name of node.inputs) if (name !== "" && !isKnown(name)) return unknown(graph, name);
    for (const [, inner] of subgraphs(node)) {
      const wrong = verifyScope(inner, scopes);
      if (wrong !== undefined) return wrong;
    }
    for (const name of node.outputs) {
      if (name === "") continue;
      if (isKnown(name)) return `"${name}" is made twice`;
      made.add(name);
    }
  }
  for (const name of graph.outputs) if (!isKnown(name)) return `the output "${name}" is not made`;
  for (const [name, type] of graph.types) {
    const wrong = verifyType(type);
    if (wrong !== undefined) return `the type of "${name}" ${wrong}`;
  }
  return undefined;
}

function unknown(graph: Graph, name: string): string {
  const later = graph.nodes.some((node) => node.outputs.includes(name));
  return later ? `"${name}" is read before it is made` : `"${name}" is read but nothing makes it`;
}

function verifyStates(graph: Graph): string | undefined {
  const made = new Set([...graph.inputs, ...graph.constants.keys(), ...graph.nodes.flatMap((node) => node.outputs)]);
  const seen = new Set<string>();
  for (const { input, output, init } of graph.states) {
    if (!graph.inputs.includes(input)) return `the state "${input}" is not an input`;
    if (!made.has(output)) return `the state's value "${output}" is not made`;
    if (seen.has(input)) return `the state "${input}" is fed twice`;
    seen.add(input);
    const wrong = verifyTensor(init);
    if (wrong !== undefined) return `the first value of the state "${input}" ${wrong}`;
  }
  return undefined;
}

function verifyTensor(tensor: Tensor): string | undefined {
  const { dtype, shape, data, quant } = tensor;
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) return `has the shape [${shape}]`;
  let count: number;
  try {
    count = elementCount(shape);
  } catch {
    return `has the shape [${shape}]`;
  }
  if (isLazy(data)) {
    const wanted = byteSize(dtype, shape);
    if (data.byteLength !== wanted) return `has ${data.byteLength} bytes where [${shape}] needs ${wanted}`;
  } else {
    const wanted = dtype === "string" ? count : arrayLength(dtype, count);
    if (Array.isArray(data) !== (dtype === "string")) return `does not hold ${dtype}`;
    if (data.length !== wanted) return `has ${data.length} elements where [${shape}] needs ${wanted}`;
  }
  return quant === undefined ? undefined : verifyQuant({ dtype, shape, quant }, quant);
}

function verifyType(type: Type): string | undefined {
  for (const dim of type.shape ?? []) {
    if (typeof dim === "number" && !(Number.isSafeInteger(dim) && dim >= 0)) return `has the dimension ${dim}`;
  }
  return type.quant === undefined ? undefined : verifyQuant(type, type.quant);
}

function verifyQuant(type: Type, quant: Quant): string | undefined {
  const { scale, zeroPoint, axis, block } = quant;
  if (!/^u?int|^float8|^float4/.test(type.dtype)) return `is quantized but stored as ${type.dtype}`;
  if (!scale.every((value) => value > 0 && Number.isFinite(value))) return "has a scale that is not a positive number";
  if (zeroPoint.length !== 1 && zeroPoint.length !== scale.length) {
    return `has ${zeroPoint.length} zero points for ${scale.length} scales`;
  }
  const unlike = verifyMultipliers(type, quant);
  if (unlike !== undefined) return unlike;
  const wanted = scaleCount(type, axis, block);
  if (typeof wanted === "string") return wanted;
  return wanted === undefined || scale.length === wanted
    ? undefined
    : `has ${scale.length} scales where it needs ${wanted}`;
}

function verifyMultipliers({ shape }: Type, { axis, block, zeroPoint, multipliers }: Quant): string | undefined {
  if (multipliers === undefined) return undefined;
  if (axis === undefined || block !== undefined) return "has multipliers, but no scale a channel";
  if (zeroPoint.some((zero) => zero !== 0)) return "has multipliers and a zero point";
  if (!(Number.isSafeInteger(multipliers.block) && multipliers.block > 0)) {
    return `has multipliers each ${multipliers.block} elements`;
  }
  if (!multipliers.values.every((value) => value >= 1 && value <= 127)) return "has a multiplier outside of 1 to 127";
  const size = shape?.[axis];
  if (!isStatic(shape) || typeof size !== "number") return undefined;
  const wanted = size === 0 ? 0 : size * Math.ceil(elementCount(shape) / size / multipliers.block);
  const found = multipliers.values.length;
  return found === wanted ? undefined : `has ${found} multipliers where it needs ${wanted}`;
}

/** How many scales the shape asks for; undefined where a dimension is not known; a sentence where the axis is wrong. */
function scaleCount(type: Type, axis: number | undefined, block: number | undefined): number | string | undefined {
  if (axis === undefined) return block === undefined ? 1 : "has blocks but no axis";
  if (type.shape === undefined) return undefined;
  const dim = type.shape[axis];
  if (dim === undefined) return `has the quantized axis ${axis} at rank ${type.shape.length}`;
  if (block === undefined) return typeof dim === "number" ? dim : undefined;
  if (!(Number.isInteger(block) && block > 0)) return `has the block size ${block}`;
  let count = 1;
  for (const [index, each] of type.shape.entries()) {
    if (typeof each !== "number") return undefined;
    count *= index === axis ? Math.ceil(each / block) : each;
  }
  return count;
}
