import { type Dim, elementCount, type Node, stringAttr } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import type { Gradient, Operand } from "./gradient.ts";
import type { Op } from "./op.ts";
import { forEachIndex, offsetOf } from "./shared/index.ts";
import { makeType, NUMBERS, reject, requireSameDType, sizeOf, typeAt, unifyDims } from "./shared/types.ts";
import { allTensors, doublesOf, fromDoubles } from "./shared/values.ts";

/** The labels of every input's axes and of the output's. Axes that "..." covers are labelled "0", "1", … from their end. */
interface Equation {
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

function expand(node: Node, term: string, rank: number): string[] {
  const pieces = term.split("...");
  if (pieces.length > 2 || !/^[A-Za-z]*$/.test(pieces.join(""))) reject(node, `the term "${term}" is not understood`);
  if (pieces.length === 1) return [...term];
  const covered = rank - pieces[0].length - pieces[1].length;
  if (covered < 0) reject(node, `the term "${term}" needs more than ${rank} axes`);
  return [...pieces[0], ...Array.from({ length: covered }, (_, at) => String(covered - 1 - at)), ...pieces[1]];
}

function parse(node: Node, ranks: readonly number[]): Equation {
  const text = stringAttr(node, "equation", "").replaceAll(/\s/g, "");
  const [left, right] = text.split("->");
  const terms = left.split(",");
  if (terms.length !== ranks.length)
    reject(node, `"${text}" names ${terms.length} inputs, but there are ${ranks.length}`);
  const inputs = terms.map((term, index) => expand(node, term, ranks[index]));
  inputs.forEach((labels, index) => {
    if (labels.length !== ranks[index]) reject(node, `the term "${terms[index]}" does not fit rank ${ranks[index]}`);
  });
  const all = inputs.flat();
  const batch = [...new Set(all.filter((label) => /^\d+$/.test(label)))].sort((a, b) => Number(b) - Number(a));
  if (right === undefined) {
    // Without an arrow: what "..." covers, then the letters that occur once, in alphabetical order.
    const once = all.filter((label) => !batch.includes(label) && all.indexOf(label) === all.lastIndexOf(label));
    return { inputs, output: [...batch, ...once.sort()] };
  }
  const output = expand(node, right, right.replace("...", "").length + (right.includes("...") ? batch.length : 0));
  for (const label of output) if (!all.includes(label)) reject(node, `"${label}" is in the output of "${text}" only`);
  return { inputs, output };
}

/** The size of every label; 1 broadcasts where "..." covers it. */
function sizesOf(node: Node, { inputs }: Equation, shapes: readonly (readonly Dim[])[]): Map<string, Dim> {
  const sizes = new Map<string, Dim>();
  inputs.forEach((labels, input) => {
    labels.forEach((label, axis) => {
      const [known, dim] = [sizes.get(label), shapes[input][axis]];
      if (known === undefined || known === 1) sizes.set(label, dim);
      else if (dim !== 1) sizes.set(label, unifyDims(node, known, dim, `the sizes of "${label}" differ`));
    });
  });
  return sizes;
}

/**
 * By input k: dy times the other inputs, summed to k's labels. A label that only k has was summed over: its gradient repeats,
 * which a factor of ones along it says.
 */
const gradient: Gradient = (g) => {
  const dy = g.arriving(0);
  if (dy === undefined) return [];
  const values = g.node.inputs.map((_, index) => g.input(index));
  const { inputs, output } = parse(
    g.node,
    values.map(({ shape }) => shape.length),
  );
  const plain = inputs.flat().every((label) => /^[A-Za-z]$/.test(label));
  if (!plain || inputs.some((labels) => new Set(labels).size !== labels.length)) {
    reject(g.node, "the gradient is known for equations without '...' and without a label twice in one term");
  }
  return values.map((value, k) => {
    if (!g.wants(k)) return undefined;
    const others = values.filter((_, index) => index !== k);
    const terms = [output, ...inputs.filter((_, index) => index !== k)];
    const alone = inputs[k].filter((label) => !terms.flat().includes(label));
    const operands: Operand[] = [dy, ...others];
    if (alone.length > 0) {
      terms.push(alone);
      const shape = alone.map((label) => value.shape[inputs[k].indexOf(label)]);
      operands.push(g.add(g.zeros(value.dtype, shape), 1));
    }
    const equation = `${terms.map((labels) => labels.join("")).join(",")}->${inputs[k].join("")}`;
    return g.emit("Einsum", operands, { attrs: { equation: { s: equation } } });
  });
};

/** Sum of products over every label that the output does not have: `y[output] = Σ Π xₖ[labels of k]`. */
const op: Op = {
  gradient,
  infer(node, inputs) {
    const types = node.inputs.map((_, index) => typeAt(node, inputs, index, NUMBERS));
    types.forEach((_, index) => {
      requireSameDType(node, inputs, 0, index);
    });
    const shapes = types.map((type) => type.shape);
    if (shapes.some((shape) => shape === undefined)) return [makeType(types[0].dtype)];
    const known = shapes as (readonly Dim[])[];
    const equation = parse(
      node,
      known.map((shape) => shape.length),
    );
    const sizes = sizesOf(node, equation, known);
    return [
      makeType(
        types[0].dtype,
        equation.output.map((label) => sizes.get(label) ?? "?"),
      ),
    ];
  },
  evaluate(node, inputs) {
    const tensors = allTensors(node, inputs);
    const shapes = tensors.map((tensor) => tensor.shape);
    const equation = parse(
      node,
      shapes.map((shape) => shape.length),
    );
    const sizes = sizesOf(node, equation, shapes) as Map<string, number>;
    const summed = [...sizes.keys()].filter((label) => !equation.output.includes(label));
    const order = [...equation.output, ...summed];
    const shape = order.map((label) => sizes.get(label) ?? 1);
    // Each input's step for each label: a label twice in one input walks its diagonal.
    const steps = equation.inputs.map((labels, input) => {
      const strides = stridesOf(shapes[input]);
      return order.map((label) =>
        labels.reduce(
          (sum, each, axis) => (each === label && shapes[input][axis] !== 1 ? sum + strides[axis] : sum),
          0,
        ),
      );
    });
    const result = equation.output.map((label) => sizes.get(label) ?? 1);
    const inner = elementCount(summed.map((label) => sizes.get(label) ?? 1));
    const values = new Float64Array(elementCount(result));
    const sources = tensors.map(doublesOf);
    forEachIndex(shape, (index, position) => {
      let product = 1;
      for (let input = 0; input < sources.length; input++) product *= sources[input][offsetOf(index, steps[input])];
      values[Math.floor(position / inner)] += product;
    });
    return [fromDoubles(tensors[0].dtype, result, values)];
  },
  macs(node, inputs) {
    const shapes = inputs.map((type) => type?.shape ?? []);
    return sizeOf([
      ...sizesOf(
        node,
        parse(
          node,
          shapes.map((shape) => shape.length),
        ),
        shapes,
      ).values(),
    ]);
  },
};

export default op;
