import { type Builder, rebuild } from "../../src/ir/build.ts";
import { elementCount, type Graph, isStatic, type Node, stringAttr, typeOf } from "../../src/ir/graph.ts";
import { int64 } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/**
 * An Einsum of two operands is a batched product: labels in both and in the result are the batch, labels in both alone are summed,
 * the others are rows and columns. Transposes and Reshapes bring the operands into that order and the product out of it.
 */
const pass: Pass = {
  summary: "Makes an Einsum of one or two operands a MatMul between Transposes and Reshapes.",
  run: (graph) =>
    rebuild(graph, (node, build) => node.op === "Einsum" && node.domain === "" && contract(graph, node, build)),
};

export default pass;

interface Operand {
  readonly value: string;
  readonly labels: readonly string[];
}

function contract(graph: Graph, node: Node, build: Builder): boolean {
  const equation = stringAttr(node, "equation", "").replaceAll(/\s/g, "");
  const shapes = node.inputs.map((name) => typeOf(graph, name)?.shape);
  const own = typeOf(graph, node.outputs[0]);
  const parts = /^([A-Za-z]+)(?:,([A-Za-z]+))?->([A-Za-z]*)$/.exec(equation);
  if (!parts || !isStatic(own?.shape) || own.dtype !== "float32") return false;
  const terms = [parts[1], parts[2]].filter((term) => term !== undefined).map((term) => [...term]);
  if (terms.length !== shapes.length || terms.some((labels) => new Set(labels).size !== labels.length)) return false;
  const sizes = new Map<string, number>();
  for (const [index, shape] of shapes.entries()) {
    if (!isStatic(shape) || shape.length !== terms[index].length) return false;
    for (const [axis, label] of terms[index].entries()) sizes.set(label, shape[axis]);
  }
  const result = [...parts[3]];
  const others = (index: number) => (terms[1 - index] ?? []).concat(result);
  const operands = terms.map((labels, index) =>
    sumAlone({ value: node.inputs[index], labels }, (label) => others(index).includes(label), build),
  );
  const [a, b] = operands;
  const made = b === undefined ? a : multiply(a, b, result, sizes, build);
  const perm = result.map((label) => made.labels.indexOf(label));
  const ordered = perm.every((axis, at) => axis === at)
    ? made.value
    : build.node("Transpose", [made.value], { perm: { ints: perm } });
  build.reshape(ordered, own.shape, node.outputs[0]);
  return true;
}

/** Labels that nothing else has are summed before anything is multiplied. */
function sumAlone({ value, labels }: Operand, isKept: (label: string) => boolean, build: Builder): Operand {
  const axes = labels.flatMap((label, axis) => (isKept(label) ? [] : [axis]));
  if (axes.length === 0) return { value, labels };
  const sum = build.node("ReduceSum", [value, int64([axes.length], axes)], { keepdims: { i: 0 } });
  return { value: sum, labels: labels.filter(isKept) };
}

function multiply(
  a: Operand,
  b: Operand,
  result: readonly string[],
  sizes: ReadonlyMap<string, number>,
  build: Builder,
): Operand {
  const batch = a.labels.filter((label) => b.labels.includes(label) && result.includes(label));
  const summed = a.labels.filter((label) => b.labels.includes(label) && !result.includes(label));
  const rows = a.labels.filter((label) => !b.labels.includes(label));
  const columns = b.labels.filter((label) => !a.labels.includes(label));
  const dims = (labels: readonly string[]) => labels.map((label) => sizes.get(label) ?? 1);
  const count = (labels: readonly string[]) => elementCount(dims(labels));
  const lead = batch.length === 0 ? [] : [count(batch)];
  const arrange = ({ value, labels }: Operand, first: readonly string[], second: readonly string[]): string => {
    const perm = [...batch, ...first, ...second].map((label) => labels.indexOf(label));
    const same = perm.every((axis, at) => axis === at);
    const ordered = same ? value : build.node("Transpose", [value], { perm: { ints: perm } });
    return build.reshape(ordered, [...lead, count(first), count(second)]);
  };
  const product = build.node("MatMul", [arrange(a, rows, summed), arrange(b, summed, columns)]);
  const labels = [...batch, ...rows, ...columns];
  return { value: build.reshape(product, dims(labels)), labels };
}
