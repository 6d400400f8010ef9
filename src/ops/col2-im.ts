import { elementCount } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import {
  constantIntegers,
  makeType,
  mapDim,
  NUMBERS,
  reject,
  requireRank,
  typeAt,
  unknownShape,
} from "./shared/types.ts";
import { doublesOf, fromDoubles, integersOf, tensorAt } from "./shared/values.ts";
import { forEachWindow, windowOf } from "./shared/window.ts";

/** Adds the columns of [n, c·∏block, windows] back to the places of an image that the windows came from: [n, c, …image]. */
const op: Op = {
  infer(node, inputs, context) {
    const type = typeAt(node, inputs, 0, NUMBERS);
    requireRank(node, type, 0, 3, 3);
    const [image, block] = [constantIntegers(context, 1), constantIntegers(context, 2)];
    const rank = inputs[1]?.shape?.[0];
    if (image === undefined)
      return [makeType(type.dtype, typeof rank === "number" ? unknownShape(rank + 2) : undefined)];
    const channels = block ? mapDim(type.shape?.[1] ?? "?", (size) => size / elementCount(block)) : "?";
    if (typeof channels === "number" && !Number.isInteger(channels)) {
      reject(node, `${type.shape?.[1]} rows do not divide into blocks of [${block}]`);
    }
    return [makeType(type.dtype, [type.shape?.[0] ?? "?", channels, ...image])];
  },
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const image = integersOf(tensorAt(node, inputs, 1));
    const block = integersOf(tensorAt(node, inputs, 2));
    const window = windowOf(node, image, block);
    const [batch, rows, columns] = tensor.shape;
    const taps = elementCount(block);
    const plane = elementCount(image);
    if (rows % taps !== 0 || columns !== elementCount(window.output)) {
      reject(node, `[${tensor.shape}] are not the columns of an image [${image}] in blocks of [${block}]`);
    }
    const channels = rows / taps;
    const source = doublesOf(tensor);
    const values = new Float64Array(batch * channels * plane);
    forEachWindow(image, window, (position, offsets) => {
      for (let at = 0; at < batch * channels; at++) {
        for (let tap = 0; tap < taps; tap++) {
          if (offsets[tap] >= 0) values[at * plane + offsets[tap]] += source[(at * taps + tap) * columns + position];
        }
      }
    });
    return [fromDoubles(tensor.dtype, [batch, channels, ...image], values)];
  },
};

export default op;
