import { elementCount, intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { forEachIndex } from "./shared/index.ts";
import {
  constantIntegers,
  FLOATS,
  INDICES,
  makeType,
  reject,
  requireRank,
  typeAt,
  unknownShape,
} from "./shared/types.ts";
import { doublesOf, fromDoubles, integersOf, tensorAt } from "./shared/values.ts";

/**
 * The grid for GridSample: the places of an evenly spaced [−1, 1] cube, last axis first, under the affine map of input 0
 * ([n, 2, 3] or [n, 3, 4]); input 1 is the image's shape [n, c, …].
 */
const op: Op = {
  infer(node, inputs, context) {
    const theta = typeAt(node, inputs, 0, FLOATS);
    requireRank(node, theta, 0, 3, 3);
    const size = constantIntegers(context, 1);
    if (size) return [makeType(theta.dtype, [size[0], ...size.slice(2), size.length - 2])];
    const rank = typeAt(node, inputs, 1, INDICES).shape?.[0];
    return [makeType(theta.dtype, typeof rank === "number" ? unknownShape(rank) : undefined)];
  },
  evaluate(node, inputs) {
    const theta = tensorAt(node, inputs, 0);
    const [batch, , ...sizes] = integersOf(tensorAt(node, inputs, 1));
    const axes = sizes.length;
    if (`${theta.shape}` !== `${[batch, axes, axes + 1]}`)
      reject(node, `theta [${theta.shape}] does not fit ${axes} axes`);
    const corners = intAttr(node, "align_corners", 0) === 1;
    const map = doublesOf(theta);
    const values = new Float64Array(batch * elementCount(sizes) * axes);
    forEachIndex([batch, ...sizes], ([image, ...index], position) => {
      const places = index.map((at, axis) => {
        if (!corners) return (2 * at + 1) / sizes[axis] - 1;
        return sizes[axis] === 1 ? 0 : (2 * at) / (sizes[axis] - 1) - 1;
      });
      places.reverse();
      for (let row = 0; row < axes; row++) {
        const start = (image * axes + row) * (axes + 1);
        values[position * axes + row] = places.reduce(
          (sum, place, axis) => sum + map[start + axis] * place,
          map[start + axes],
        );
      }
    });
    return [fromDoubles(theta.dtype, [batch, ...sizes, axes], values)];
  },
};

export default op;
