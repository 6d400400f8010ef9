import { elementCount, intsAttr, type Node } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { ACTIVATIONS, type CodeType, codesAt, codeType, makeCodes } from "../shared/npu/codes.ts";
import { reject } from "../shared/types.ts";
import { forEachWindow, type Window, windowOf } from "../shared/window.ts";

function poolOf(node: Node, x: CodeType): { sizes: readonly number[]; window: Window; shape: readonly number[] } {
  const kernel = intsAttr(node, "kernel_shape") ?? reject(node, "the attribute kernel_shape is missing");
  const sizes = x.shape.slice(2);
  const window = windowOf(node, sizes, kernel);
  return { sizes, window, shape: [...x.shape.slice(0, 2), ...window.output] };
}

/** The largest code of each window; padding never wins. */
export default {
  passesThrough: true,
  infer(node, inputs) {
    const x = codeType(node, inputs, 0, ACTIVATIONS);
    return [{ dtype: x.dtype, shape: poolOf(node, x).shape }];
  },
  evaluate(node, inputs) {
    const x = codesAt(node, inputs, 0);
    const { sizes, window, shape } = poolOf(node, x);
    const [plane, pixels] = [elementCount(sizes), elementCount(window.output)];
    const least = x.dtype === "int8" ? -128 : -32768;
    const largest = new Int32Array(elementCount(shape)).fill(least);
    forEachWindow(sizes, window, (pixel, taps) => {
      const inside = taps.filter((tap) => tap >= 0);
      for (let channel = 0; channel * pixels < largest.length; channel++) {
        for (const tap of inside) {
          const at = channel * pixels + pixel;
          largest[at] = Math.max(largest[at], x.values[channel * plane + tap]);
        }
      }
    });
    return [makeCodes(x.dtype, shape, (at) => largest[at])];
  },
} satisfies Op;
