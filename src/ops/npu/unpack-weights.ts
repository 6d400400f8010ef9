import { elementCount, intAttr } from "../../ir/graph.ts";
import { decode } from "../../ir/numbers.ts";
import { numbersOf, stridesOf } from "../../ir/tensor.ts";
import type { Op } from "../op.ts";
import { codeType, makeCodes } from "../shared/npu/codes.ts";
import { reject } from "../shared/types.ts";
import { optionalTensorAt, tensorAt } from "../shared/values.ts";

/**
 * Weights of 4 bits as the int8 that the array multiplies: y = clamp(w · multipliers[c, ⌊r / block⌋], −127, 127), where c is the
 * index on `axis` and r counts the elements of that channel in row-major order of the other axes. Without multipliers y = w.
 */
export default {
  infer(node, inputs) {
    const w = codeType(node, inputs, 0, ["int4"]);
    if (inputs[1] !== undefined) {
      const { shape } = codeType(node, inputs, 1, ["uint8"]);
      const [axis, block] = [intAttr(node, "axis", 0), intAttr(node, "block", 0)];
      if (!(axis >= 0 && axis < w.shape.length)) reject(node, `there is no axis ${axis} in [${w.shape}]`);
      if (!(block >= 1)) reject(node, `blocks of ${block} elements`);
      const channels = w.shape[axis];
      const blocks = channels === 0 ? 0 : Math.ceil(elementCount(w.shape) / channels / block);
      if (String(shape) !== String([channels, blocks])) {
        reject(node, `multipliers of the shape [${shape}] are not [${channels},${blocks}]`);
      }
    }
    return [{ dtype: "int8", shape: w.shape }];
  },
  evaluate(node, inputs) {
    const w = tensorAt(node, inputs, 0);
    const codes = decode(w) as Int8Array;
    const given = optionalTensorAt(node, inputs, 1);
    if (given === undefined) return [makeCodes("int8", w.shape, (at) => codes[at])];
    const multipliers = numbersOf(given);
    const [axis, block] = [intAttr(node, "axis", 0), intAttr(node, "block", 1)];
    const [channels, inner, blocks] = [w.shape[axis], stridesOf(w.shape)[axis], given.shape[1]];
    return [
      makeCodes("int8", w.shape, (at) => {
        const channel = Math.floor(at / inner) % channels;
        const place = Math.floor(at / (inner * channels)) * inner + (at % inner);
        const product = codes[at] * multipliers[channel * blocks + Math.floor(place / block)];
        return Math.min(127, Math.max(-127, product));
      }),
    ];
  },
} satisfies Op;
