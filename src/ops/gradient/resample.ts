/** The gradient of resampling: it is linear along each axis, so going back is a product with the transposed weights. */
import { elementCount, type Tensor } from "../../ir/graph.ts";
import type { GradientBuilder, Value } from "../gradient.ts";
import type { Taps } from "../shared/resample.ts";

/** How much each output position takes of each input position: [output, input]. */
function weightsOf(taps: readonly Taps[], size: number, like: Value): Tensor {
  const values = new Float64Array(taps.length * size);
  taps.forEach(({ positions, weights, outside }, x) => {
    if (outside) return;
    positions.forEach((position, tap) => {
      values[x * size + position] += weights[tap];
    });
  });
  const data = like.dtype === "float64" ? values : Float32Array.from(values);
  return { dtype: like.dtype, shape: [taps.length, size], data };
}

/** Is every position read the same number of times, in order (an enlargement by a whole factor to the nearest)? */
function isRepetition(taps: readonly Taps[], size: number): boolean {
  const times = taps.length / size;
  return (
    Number.isInteger(times) &&
    taps.every(({ positions, weights, outside }, x) => {
      return !outside && positions.length === 1 && weights[0] === 1 && positions[0] === Math.floor(x / times);
    })
  );
}

/** dy with one axis taken back to its size before. */
export function resampleBack(g: GradientBuilder, dy: Value, axis: number, size: number, taps: readonly Taps[]): Value {
  const outer = dy.shape.slice(0, axis);
  const inner = dy.shape.slice(axis + 1);
  if (taps.length === size && isRepetition(taps, size)) return dy;
  if (isRepetition(taps, size)) {
    const apart = g.reshape(dy, [...outer, size, taps.length / size, ...inner]);
    return g.sum(apart, [axis + 1], false);
  }
  const weights = weightsOf(taps, size, dy);
  if (inner.length === 0) return g.emit("MatMul", [dy, weights]);
  // [size, output] · [outer, output, inner], the matrix the same for all of outer.
  const turned = g.transpose(g.emit("Identity", [weights]), [1, 0]);
  const flat = g.reshape(dy, [elementCount(outer), taps.length, elementCount(inner)]);
  return g.reshape(g.emit("MatMul", [turned, flat]), [...outer, size, ...inner]);
}
