import { type DType, type Node, stringAttr } from "../../ir/graph.ts";
import type { Op } from "../op.ts";
import { CODES, codesAt, codeType, makeCodes } from "../shared/npu/codes.ts";
import { clamp } from "../shared/npu/requantize.ts";
import { reject } from "../shared/types.ts";

const RANGES: Partial<Record<DType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};

function target(node: Node): DType {
  const to = stringAttr(node, "to", "");
  return CODES.find((dtype) => dtype === to) ?? reject(node, `"${to}" is not one of ${CODES.join(", ")}`);
}

/** The same codes in another integer storage type (`to`, a dtype's name); what does not fit saturates. */
export default {
  infer: (node, inputs) => [{ dtype: target(node), shape: codeType(node, inputs, 0).shape }],
  evaluate(node, inputs) {
    const x = codesAt(node, inputs, 0);
    const to = target(node);
    const [low, high] = RANGES[to] as readonly [number, number];
    return [makeCodes(to, x.shape, (at) => clamp(x.values[at], low, high))];
  },
} satisfies Op;
