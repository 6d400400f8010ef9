import { type DType, elementCount, intAttr } from "../ir/graph.ts";
import { int64 } from "../ir/tensor.ts";
import { maxPoolGradient } from "./gradient/pool.ts";
import { lowerMaxPool } from "./lowering/pool.ts";
import type { Op } from "./op.ts";
import { lowestOf } from "./shared/limits.ts";
import { pool, poolKernel } from "./shared/pool.ts";
import { FLOATS, makeType } from "./shared/types.ts";
import { elementsOf, fromElements, room, tensorAt } from "./shared/values.ts";
import { forEachWindow, windowOf } from "./shared/window.ts";

const DTYPES: readonly DType[] = [...FLOATS, "int8", "uint8"];
const shapes = pool(() => () => 0, DTYPES);

/** A spatial offset counted with the first axis running fastest (storage_order 1). */
function columnMajor(offset: number, sizes: readonly number[]): number {
  let place = 0;
  let stride = elementCount(sizes);
  for (let axis = sizes.length - 1; axis >= 0; axis--) {
    stride /= sizes[axis];
    place += (offset % sizes[axis]) * stride;
    offset = Math.floor(offset / sizes[axis]);
  }
  return place;
}

/** The greatest element of each window, and where in the whole tensor it lies; the first wins a tie. */
const op: Op = {
  gradient: maxPoolGradient,
  integer: lowerMaxPool,
  passesThrough: true,
  infer(node, inputs, context) {
    const [type] = shapes.infer(node, inputs, context);
    return [type, makeType("int64", type.shape)];
  },
  evaluate(node, inputs) {
    const x = tensorAt(node, inputs, 0);
    const sizes = x.shape.slice(2);
    const window = windowOf(node, sizes, poolKernel(node));
    const shape = [...x.shape.slice(0, 2), ...window.output];
    const [plane, outputPlane] = [elementCount(sizes), elementCount(window.output)];
    const planes = x.shape[0] * x.shape[1];
    const source = elementsOf(x) as ArrayLike<number>;
    const greatest = room(x.dtype, planes * outputPlane);
    const indices = new Array<number>(greatest.length).fill(0);
    const turned = intAttr(node, "storage_order", 0) === 1;
    const lowest = Number(lowestOf(x.dtype));
    forEachWindow(sizes, window, (position, taps) => {
      const inside = taps.filter((tap) => tap >= 0);
      for (let at = 0; at < planes; at++) {
        let best = inside[0] ?? 0;
        for (const tap of inside) if (!(source[at * plane + tap] <= source[at * plane + best])) best = tap;
        greatest[at * outputPlane + position] = inside.length === 0 ? lowest : source[at * plane + best];
        indices[at * outputPlane + position] = at * plane + (turned ? columnMajor(best, sizes) : best);
      }
    });
    return [fromElements(x.dtype, shape, greatest), int64(shape, indices)];
  },
};

export default op;
