/** Building the nodes of a training step: values that know their shapes, and constants that are shared where they are equal. */
import { bug } from "../error.ts";
import { type DType, elementCount, isStatic, type Node, type Tensor, type Type } from "../ir/graph.ts";
import { isFloat } from "../ir/numbers.ts";
import { allocate, int64, scalar, valuesOf } from "../ir/tensor.ts";
import { opOf } from "../ops/find.ts";
import type { EmitOptions, GradientBuilder, Operand, Scaled, Value } from "../ops/gradient.ts";

/** The names, types and constants of the graph that is being built. Everything that is built adds to it. */
export interface Workshop {
  readonly names: Set<string>;
  readonly types: Map<string, Type>;
  readonly constants: Map<string, Tensor>;
  /** Values that are known without being constants: shapes, and what follows from shapes. */
  readonly known: ReadonlyMap<string, Tensor>;
  /** Small constants by content. */
  readonly shared: Map<string, Value>;
  /** What `scaled` of a GradientBuilder was given, by the name of what it made. */
  readonly scaled: Map<string, Scaled>;
  /** As `block` of a GradientBuilder. */
  readonly block?: number;
}

/** Constants of at most this many elements are looked for among those that are there already. */
const SHARED_ELEMENTS = 16;

/** Builds nodes into `nodes`, all with the origin of `from`. */
export function builderInto(workshop: Workshop, nodes: Node[], from: Node): GradientBuilder {
  const hint = from.origin[0] ?? from.outputs.find((name) => name !== "") ?? from.op;
  const origin = from.origin.length > 0 ? from.origin : [hint];

  function constant(tensor: Tensor): Value {
    const values = tensor.dtype === "string" ? bug("a gradient has no use for text") : valuesOf(tensor);
    const small = values.length <= SHARED_ELEMENTS;
    const key = `${tensor.dtype}[${tensor.shape}]${small ? signed(values as ArrayLike<number | bigint>) : ""}`;
    const before = small ? workshop.shared.get(key) : undefined;
    if (before !== undefined) return before;
    const name = freshIn(workshop, `${hint}/constant`);
    workshop.constants.set(name, tensor);
    const value = { name, dtype: tensor.dtype, shape: tensor.shape };
    if (small) workshop.shared.set(key, value);
    return value;
  }

  function place(operand: Operand | undefined, dtype: DType): Value | undefined {
    if (typeof operand === "number") return constant(scalar(dtype, operand));
    return operand !== undefined && "data" in operand ? constant(operand) : operand;
  }

  function run(op: string, inputs: readonly (Operand | undefined)[], outputs: readonly string[], options: EmitOptions) {
    const values = inputs.filter((each): each is Value => typeof each === "object" && "name" in each);
    const beside = values.find(({ dtype }) => isFloat(dtype)) ?? values[0];
    const placed = inputs.map((each) => place(each, beside?.dtype ?? "float32"));
    const { attrs = {}, domain = "" } = options;
    const known = new Map(Object.entries(attrs).flatMap(([name, attr]) => (attr === undefined ? [] : [[name, attr]])));
    const node: Node = { op, domain, inputs: placed.map((each) => each?.name ?? ""), outputs, attrs: known, origin };
    const types = opOf(node).infer(node, placed, {
      constant: (index) => {
        const name = node.inputs[index];
        return name ? (workshop.constants.get(name) ?? workshop.known.get(name)) : undefined;
      },
      subgraph: () => bug("a gradient is built without subgraphs"),
    });
    nodes.push(node);
    return outputs.map((name, index): Value => {
      const type = types[index];
      if (!isStatic(type?.shape)) bug(`the shape of ${op} is not known`);
      if (name !== "") workshop.types.set(name, type);
      return { name, dtype: type.dtype, shape: type.shape };
    });
  }

  const name = (op: string): string => freshIn(workshop, `${hint}/${op.toLowerCase()}`);
  const emit: GradientBuilder["emit"] = (op, inputs, options = {}) =>
    run(op, inputs, options.outputs ?? [name(op)], options)[0];

  const reshape: GradientBuilder["reshape"] = (value, shape) =>
    sameShape(value.shape, shape) ? value : emit("Reshape", [value, int64([shape.length], shape)], ALLOW_ZERO);

  const sum: GradientBuilder["sum"] = (value, axes, keep) => {
    if (axes.length === 0) return value;
    const attrs = { keepdims: { i: keep ? 1 : 0 } };
    return emit("ReduceSum", [value, int64([axes.length], axes)], { attrs });
  };

  return {
    ...(workshop.block === undefined ? {} : { block: workshop.block }),
    emit,
    emitAll: (op, inputs, count, attrs = {}) =>
      run(
        op,
        inputs,
        Array.from({ length: count }, () => name(op)),
        { attrs },
      ),
    add: (a, b) => emit("Add", [a, b]),
    sub: (a, b) => emit("Sub", [a, b]),
    mul: (a, b) => emit("Mul", [a, b]),
    div: (a, b) => emit("Div", [a, b]),
    neg: (a) => emit("Neg", [a]),
    reshape,
    transpose: (value, order) =>
      order.every((axis, at) => axis === at)
        ? value
        : emit("Transpose", [value], { attrs: { perm: { ints: [...order] } } }),
    sum,
    sumTo(value, shape) {
      if (sameShape(value.shape, shape)) return value;
      const extra = value.shape.length - shape.length;
      const axes = value.shape.flatMap((size, axis) =>
        axis < extra || (shape[axis - extra] === 1 && size !== 1) ? [axis] : [],
      );
      return reshape(sum(value, axes, false), shape);
    },
    expand: (value, shape) =>
      sameShape(value.shape, shape) ? value : emit("Expand", [value, int64([shape.length], shape)]),
    scaled(value, factor) {
      const made = emit("Mul", [value, reshape(factor, [factor.shape[0], ...value.shape.slice(2).map(() => 1)])]);
      workshop.scaled.set(made.name, { value, factor });
      return made;
    },
    unscaled: ({ name: made }) => workshop.scaled.get(made),
    zeros: (dtype, shape) =>
      elementCount(shape) <= SHARED_ELEMENTS
        ? constant({ dtype, shape, data: allocate(dtype, elementCount(shape)) })
        : emit("ConstantOfShape", [int64([shape.length], shape)], {
            attrs: { value: { t: { dtype, shape: [1], data: allocate(dtype, 1) } } },
          }),
  };
}

function signed(values: ArrayLike<number | bigint>): string {
  return Array.from(values, (x) => (Object.is(x, -0) ? "-0" : `${x}`)).join();
}

/** A size of 0 means 0, not "as the input has it". */
const ALLOW_ZERO: EmitOptions = { attrs: { allowzero: { i: 1 } } };

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** A name that nothing has yet; it is taken from now on. Counting goes on from the names there are, not from 1. */
export function freshIn(workshop: Workshop, hint: string): string {
  let name = hint;
  for (let count = workshop.names.size; workshop.names.has(name); count++) name = `${hint}~${count}`;
  workshop.names.add(name);
  return name;
}
