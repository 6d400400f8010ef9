import { elementCount, intAttr, intsAttr, type Node } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import {
  ACTIVATIONS,
  type CodeType,
  codesAt,
  codeType,
  makeCodes,
  postInputs,
  storedType,
} from "../shared/npu/codes.ts";
import { postStage } from "../shared/npu/requantize.ts";
import { reject } from "../shared/types.ts";
import { forEachWindow, type Window, windowOf } from "../shared/window.ts";

function poolOf(node: Node, x: CodeType): { sizes: readonly number[]; window: Window; shape: readonly number[] } {
  const kernel = intsAttr(node, "kernel_shape") ?? reject(node, "the attribute kernel_shape is missing");
  const sizes = x.shape.slice(2);
  const window = windowOf(node, sizes, kernel);
  return { sizes, window, shape: [...x.shape.slice(0, 2), ...window.output] };
}

/** Cells of the window that lie inside the padded input (what ceil_mode adds beyond it never counts). */
function paddedCells(sizes: readonly number[], window: Window, start: readonly number[]): number {
  let cells = 1;
  sizes.forEach((size, axis) => {
    let inside = 0;
    for (let tap = 0; tap < window.kernel[axis]; tap++) {
      if (start[axis] + tap * window.dilations[axis] < size + window.end[axis]) inside++;
    }
    cells *= inside;
  });
  return cells;
}

/**
 * v = Σ (x − x_zero) over the cells inside; the division is in the multiplier, chosen by the number of cells counted − 1
 * (a window with none counts as one). Inputs x, multiplier, shift.
 */
export default {
  infer(node, inputs) {
    return [storedType(node, poolOf(node, codeType(node, inputs, 0, ACTIVATIONS)).shape)];
  },
  evaluate(node, inputs) {
    const x = codesAt(node, inputs, 0);
    const { sizes, window, shape } = poolOf(node, x);
    const zero = intAttr(node, "x_zero", 0);
    const countsPadding = intAttr(node, "count_include_pad", 0) === 1;
    const store = postStage(node, postInputs(node, inputs, 1));
    const [plane, pixels] = [elementCount(sizes), elementCount(window.output)];
    const codes = new Int32Array(elementCount(shape));
    forEachWindow(sizes, window, (pixel, taps, start) => {
      const inside = taps.filter((tap) => tap >= 0);
      const count = countsPadding ? paddedCells(sizes, window, start) : inside.length;
      for (let channel = 0; channel * pixels < codes.length; channel++) {
        let sum = 0;
        for (const tap of inside) sum += x.values[channel * plane + tap] - zero;
        codes[channel * pixels + pixel] = store(sum, Math.max(count, 1) - 1);
      }
    });
    return [makeCodes(storedType(node, shape).dtype, shape, (at) => codes[at])];
  },
} satisfies Op;
