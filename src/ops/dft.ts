import { type Dim, elementCount, intAttr, type Node } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { axisView } from "./shared/index.ts";
import {
  constantIntegers,
  FLOATS,
  INDICES,
  makeType,
  mapDim,
  optionalTypeAt,
  reject,
  requireRank,
  resolveAxis,
  typeAt,
} from "./shared/types.ts";
import { doublesOf, fromDoubles, optionalTensorAt, scalarOf, tensorAt } from "./shared/values.ts";

function modesOf(node: Node): { inverse: boolean; onesided: boolean } {
  const inverse = intAttr(node, "inverse", 0) === 1;
  const onesided = intAttr(node, "onesided", 0) === 1;
  if (inverse && onesided) reject(node, "a one-sided inverse transform is not defined");
  return { inverse, onesided };
}

/**
 * Discrete Fourier transform along the axis of input 2 (−2): `y[k] = Σ x[n] e^(∓2πikn/N)`, the inverse divided by N. The last
 * axis holds real (1) or real and imaginary (2) parts. Input 1 is N: the data are cut or filled with zeros to it.
 */
const op: Op = {
  infer(node, inputs, context) {
    const type = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, type, 0, 2);
    optionalTypeAt(node, inputs, 1, INDICES);
    const { onesided } = modesOf(node);
    if (type.shape === undefined) return [makeType(type.dtype)];
    const rank = type.shape.length;
    const given = (node.inputs[2] ?? "") !== "";
    const chosen = given ? constantIntegers(context, 2)?.[0] : -2;
    const shape: Dim[] = [...type.shape.slice(0, -1), 2];
    if (chosen === undefined)
      return [
        makeType(
          type.dtype,
          shape.map((_, at) => (at === rank - 1 ? 2 : "?")),
        ),
      ];
    const axis = resolveAxis(node, chosen, rank);
    if (axis === rank - 1) reject(node, "the last axis holds real and imaginary parts and is not transformed");
    const length = (node.inputs[1] ?? "") === "" ? shape[axis] : (constantIntegers(context, 1)?.[0] ?? "?");
    shape[axis] = onesided ? mapDim(length, (size) => Math.floor(size / 2) + 1) : length;
    return [makeType(type.dtype, shape)];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const [lengthTensor, axisTensor] = [optionalTensorAt(node, inputs, 1), optionalTensorAt(node, inputs, 2)];
    const { inverse, onesided } = modesOf(node);
    const rank = tensor.shape.length;
    const axis = resolveAxis(node, axisTensor ? scalarOf(node, axisTensor) : -2, rank);
    if (axis === rank - 1) reject(node, "the last axis holds real and imaginary parts and is not transformed");
    const length = lengthTensor ? scalarOf(node, lengthTensor) : tensor.shape[axis];
    if (length < 1) reject(node, `the transform's length ${length} is not positive`);
    const parts = tensor.shape[rank - 1];
    const source = doublesOf(tensor);
    const bins = onesided ? Math.floor(length / 2) + 1 : length;
    const { outer, size, inner: innerParts } = axisView(tensor.shape, axis);
    const inner = innerParts / parts;
    const shape = tensor.shape.map((dim, at) => (at === rank - 1 ? 2 : at === axis ? bins : dim));
    const values = new Float64Array(elementCount(shape));
    // Angles by index modulo N, so that large products of k and n lose nothing.
    const turn = ((inverse ? 2 : -2) * Math.PI) / length;
    const [cosines, sines] = [Math.cos, Math.sin].map((wave) =>
      Float64Array.from({ length }, (_, at) => wave(turn * at)),
    );
    for (let block = 0; block < outer; block++) {
      for (let within = 0; within < inner; within++) {
        for (let k = 0; k < bins; k++) {
          let [real, imaginary] = [0, 0];
          for (let n = 0; n < Math.min(size, length); n++) {
            const at = ((block * size + n) * inner + within) * parts;
            const [x, y] = [source[at], parts === 2 ? source[at + 1] : 0];
            const angle = (k * n) % length;
            real += x * cosines[angle] - y * sines[angle];
            imaginary += x * sines[angle] + y * cosines[angle];
          }
          const to = ((block * bins + k) * inner + within) * 2;
          values[to] = inverse ? real / length : real;
          values[to + 1] = inverse ? imaginary / length : imaginary;
        }
      }
    }
    return [fromDoubles(tensor.dtype, shape, values)];
  },
};

export default op;
