import { elementCount, floatAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import rms from "./rms-normalization.ts";
import { axisAttr, makeType } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

/** ONNX Runtime's name for RMSNormalization; its second output is `1 / √(mean(x²) + epsilon)` of each run. */
const op: Op = {
  ...rms,
  infer(node, inputs, context) {
    const [type] = rms.infer(node, inputs, context);
    const axis = type.shape && axisAttr(node, type.shape.length, -1);
    const reduced = type.shape?.map((dim, at) => (at < (axis as number) ? dim : 1));
    return [type, makeType("float32", reduced)];
  },
  evaluate(node, inputs, context) {
    const x = tensorAt(node, inputs, 0);
    const axis = axisAttr(node, x.shape.length, -1);
    const run = elementCount(x.shape.slice(axis));
    const values = Array.from(doublesOf(x));
    const factors = Array.from({ length: values.length / run }, (_, row) => {
      const squares = values.slice(row * run, (row + 1) * run).reduce((sum, value) => sum + value * value, 0);
      return 1 / Math.sqrt(squares / run + floatAttr(node, "epsilon", 1e-5));
    });
    const reduced = x.shape.map((size, at) => (at < axis ? size : 1));
    return [...rms.evaluate(node, inputs, context), fromDoubles("float32", reduced, factors)];
  },
};

export default op;
