import type { Dim } from "../ir/graph.ts";
import { type Graph, graphAttr, intAttr, intsAttr, type Node, type RuntimeValue, type Tensor } from "../ir/graph.ts";
import { stridesOf } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { stack } from "./shared/concat.ts";
import { stridedOffsets } from "./shared/index.ts";
import { makeType, reject, resolveAxis, typeAt, unifyDims } from "./shared/types.ts";
import { fromElements, gatherOffsets, room, tensorAt } from "./shared/values.ts";

interface Plan {
  readonly body: Graph;
  /** Inputs before `states` are carried from step to step; the rest are cut into steps. */
  readonly states: number;
  readonly inputAxes: readonly number[];
  readonly inputBackward: readonly boolean[];
  readonly outputAxes: readonly number[];
  readonly outputBackward: readonly boolean[];
}

function planOf(node: Node): Plan {
  const body = graphAttr(node, "body") ?? reject(node, "there is no body");
  const scanned = intAttr(node, "num_scan_inputs", 0);
  const states = node.inputs.length - scanned;
  const outputs = body.outputs.length - states;
  if (scanned < 1 || states < 0 || outputs < 0 || body.inputs.length !== node.inputs.length) {
    reject(node, `num_scan_inputs ${scanned} does not fit the ${node.inputs.length} inputs and the body`);
  }
  const list = (name: string, length: number) => {
    const given = intsAttr(node, name) ?? new Array<number>(length).fill(0);
    return given.length === length ? given : reject(node, `${name} has ${given.length} entries; ${length} are needed`);
  };
  return {
    body,
    states,
    inputAxes: list("scan_input_axes", scanned),
    inputBackward: list("scan_input_directions", scanned).map((direction) => direction === 1),
    outputAxes: list("scan_output_axes", outputs),
    outputBackward: list("scan_output_directions", outputs).map((direction) => direction === 1),
  };
}

function sliceAt(tensor: Tensor, axis: number, index: number): Tensor {
  const strides = stridesOf(tensor.shape);
  const shape = tensor.shape.toSpliced(axis, 1);
  return gatherOffsets(tensor, shape, stridedOffsets(shape, strides.toSpliced(axis, 1), index * strides[axis]));
}

/** Runs `body` once for each slice of the scanned inputs, carrying states along and stacking its further outputs. */
const op: Op = {
  hostOnly: "it runs a graph for more than 64 steps, or for a number that is not known",
  infer(node, inputs, context) {
    const { body, states, inputAxes, outputAxes } = planOf(node);
    let steps: Dim = "?";
    const slices = inputAxes.map((given, index) => {
      const { dtype, shape } = typeAt(node, inputs, states + index);
      if (shape === undefined) return makeType(dtype);
      const axis = resolveAxis(node, given, shape.length);
      steps = unifyDims(node, steps, shape[axis], "the scanned inputs differ in length");
      return makeType(dtype, shape.toSpliced(axis, 1));
    });
    const carried = node.inputs.slice(0, states).map((_, index) => typeAt(node, inputs, index));
    const results = context.subgraph(body, [...carried, ...slices]);
    return results.map((type, index) => {
      if (index < states) return carried[index];
      if (type.shape === undefined) return makeType(type.dtype);
      const axis = resolveAxis(node, outputAxes[index - states], type.shape.length + 1);
      return makeType(type.dtype, type.shape.toSpliced(axis, 0, steps));
    });
  },
  evaluate(node, inputs, context) {
    const { body, states, inputAxes, inputBackward, outputAxes, outputBackward } = planOf(node);
    const scanned = inputAxes.map((given, index) => {
      const tensor = tensorAt(node, inputs, states + index);
      return { tensor, axis: resolveAxis(node, given, tensor.shape.length), backward: inputBackward[index] };
    });
    const steps = scanned[0].tensor.shape[scanned[0].axis];
    if (scanned.some(({ tensor, axis }) => tensor.shape[axis] !== steps))
      reject(node, "the scanned inputs differ in length");
    let carried: readonly RuntimeValue[] = inputs.slice(0, states);
    const collected: Tensor[][] = outputAxes.map(() => []);
    for (let step = 0; step < steps; step++) {
      const slices = scanned.map(({ tensor, axis, backward }) =>
        sliceAt(tensor, axis, backward ? steps - 1 - step : step),
      );
      const results = context.subgraph(body, [...carried, ...slices]);
      carried = results.slice(0, states);
      collected.forEach((list, index) => {
        list.push(tensorAt(node, results, states + index));
      });
    }
    const stacked = collected.map((list, index) => {
      if (list.length === 0) return nothing(body, body.outputs[states + index]);
      const axis = resolveAxis(node, outputAxes[index], list[0].shape.length + 1);
      return stack(node, outputBackward[index] ? list.reverse() : list, axis);
    });
    return [...carried, ...stacked];
  },
};

/** What no steps leave: an output of length 0, its other dimensions as far as the body's types know them. */
function nothing(body: Graph, output: string): Tensor {
  const type = body.types.get(output);
  const shape = (type?.shape ?? []).map((dim) => (typeof dim === "number" ? dim : 0));
  const dtype = type?.dtype ?? "float32";
  return fromElements(dtype, [0, ...shape], room(dtype, 0));
}

export default op;
