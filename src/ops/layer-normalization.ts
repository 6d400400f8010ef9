import { elementCount, floatAttr } from "../ir/graph.ts";
import { layerNormGradient } from "./gradient/normalise.ts";
import { lowerNorm } from "./lowering/normalise.ts";
import type { Op } from "./op.ts";
import { spread } from "./shared/elementwise.ts";
import { momentsOf, standardised } from "./shared/normalise.ts";
import { axisAttr, FLOATS, makeType, optionalTypeAt, sizeOf, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, tensorAt } from "./shared/values.ts";

/**
 * `y = scale · (x − mean) / √(variance + epsilon) + bias` over the axes from `axis` on. Outputs 1 and 2 are the mean and
 * 1/√(variance + epsilon), in float32, with those axes kept as 1. Scale and bias broadcast to x.
 */
const op: Op = {
  gradient: layerNormGradient,
  integer: lowerNorm(true),
  operands: { data: [0] },
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    typeAt(node, inputs, 1, FLOATS);
    optionalTypeAt(node, inputs, 2, FLOATS);
    const axis = type.shape && axisAttr(node, type.shape.length, -1);
    const dtype = type.dtype === "float64" ? "float64" : "float32";
    const statistic = makeType(
      dtype,
      type.shape?.map((dim, at) => (at < (axis as number) ? dim : 1)),
    );
    return [type, statistic, statistic].slice(0, Math.max(1, node.outputs.length));
  },
  evaluate(node, inputs) {
    const [tensor, scale] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const bias = optionalTensorAt(node, inputs, 2);
    const { shape } = tensor;
    const axis = axisAttr(node, shape.length, -1);
    const epsilon = floatAttr(node, "epsilon", 1e-5);
    const run = elementCount(shape.slice(axis));
    const source = doublesOf(tensor);
    const factors = spread(scale, shape) as ArrayLike<number>;
    const shifts = bias && (spread(bias, shape) as ArrayLike<number>);
    const values = standardised(source, run, epsilon).map((value, at) => value * factors[at] + (shifts?.[at] ?? 0));
    const moments = Array.from({ length: source.length / run }, (_, row) => momentsOf(source, row * run, run));
    const reduced = shape.map((size, at) => (at < axis ? size : 1));
    const dtype = tensor.dtype === "float64" ? "float64" : "float32";
    return [
      fromDoubles(tensor.dtype, shape, values),
      fromDoubles(
        dtype,
        reduced,
        moments.map(({ mean }) => mean),
      ),
      fromDoubles(
        dtype,
        reduced,
        moments.map(({ variance }) => 1 / Math.sqrt(variance + epsilon)),
      ),
    ];
  },
  macs: (_, inputs) => 2 * sizeOf(inputs[0]?.shape),
};

export default op;
