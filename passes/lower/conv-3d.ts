import { rebuild } from "../../src/ir/build.ts";
import { type Graph, intAttr, intsAttr, isStatic, type Node, typeOf } from "../../src/ir/graph.ts";
import { makeTensor, valuesOf } from "../../src/ir/tensor.ts";
import type { Pass } from "../../src/pass.ts";

/** A convolution over three axes of which one is 1 wide, in the value and in the kernel, is one over the other two. */
const pass: Pass = {
  summary: "Makes a 3-D convolution with an axis of size 1 a 2-D one between Reshapes.",
  run: (graph) =>
    rebuild(graph, (node, build) => {
      const axis = flatAxis(graph, node);
      if (axis === undefined) return false;
      const [x, w, ...bias] = node.inputs;
      const without = <T>(list: readonly T[], at: number) => list.filter((_, index) => index !== at);
      const shape = typeOf(graph, x)?.shape as number[];
      const own = typeOf(graph, node.outputs[0])?.shape as number[];
      const weights = graph.constants.get(w);
      if (!weights) return false;
      const flat = build.reshape(x, without(shape, axis + 2));
      const kernel = makeTensor(weights.dtype, without(weights.shape, axis + 2), valuesOf(weights));
      const pads = intsAttr(node, "pads") ?? [0, 0, 0, 0, 0, 0];
      const three = (name: string) => without(intsAttr(node, name) ?? [1, 1, 1], axis);
      const made = build.node("Conv", [flat, kernel, ...bias], {
        kernel_shape: { ints: kernel.shape.slice(2) },
        strides: { ints: three("strides") },
        dilations: { ints: three("dilations") },
        pads: { ints: [...without(pads.slice(0, 3), axis), ...without(pads.slice(3), axis)] },
        group: { i: intAttr(node, "group", 1) },
      });
      build.reshape(made, own, node.outputs[0]);
      return true;
    }),
};

export default pass;

/** The spatial axis (0, 1, 2) of size 1 that the kernel does not reach beyond. */
function flatAxis(graph: Graph, node: Node): number | undefined {
  if (node.op !== "Conv" || node.domain !== "" || node.attrs.has("auto_pad")) return undefined;
  const x = typeOf(graph, node.inputs[0])?.shape;
  const y = typeOf(graph, node.outputs[0])?.shape;
  const w = graph.constants.get(node.inputs[1]);
  if (!isStatic(x) || !isStatic(y) || x.length !== 5 || !w || w.quant) return undefined;
  const pads = intsAttr(node, "pads") ?? [0, 0, 0, 0, 0, 0];
  const found = [0, 1, 2].find(
    (axis) =>
      x[axis + 2] === 1 && y[axis + 2] === 1 && w.shape[axis + 2] === 1 && pads[axis] === 0 && pads[axis + 3] === 0,
  );
  return found;
}
