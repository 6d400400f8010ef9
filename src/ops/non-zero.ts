import { int64 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { forEachIndex } from "./shared/index.ts";
import { makeType, typeAt } from "./shared/types.ts";
import { elementsOf, tensorAt } from "./shared/values.ts";

/** The indices of the elements that are not zero, in row-major order: shape [rank, count]. */
const op: Op = {
  hostOnly: "how much it finds depends on the data, and the chip's commands have fixed sizes",
  infer(node, inputs) {
    const { shape } = typeAt(node, inputs, 0);
    return [makeType("int64", [shape === undefined ? "?" : shape.length, "?"])];
  },
  evaluate(node, inputs) {
    const data = tensorAt(node, inputs, 0);
    const elements = elementsOf(data);
    const found: number[][] = [];
    forEachIndex(data.shape, (index, position) => {
      const element = elements[position];
      if (element !== 0 && element !== 0n && element !== "") found.push([...index]);
    });
    const rows = data.shape.map((_, axis) => found.map((index) => index[axis]));
    return [int64([data.shape.length, found.length], rows.flat())];
  },
};

export default op;
