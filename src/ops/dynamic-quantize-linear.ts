import { roundHalfEven } from "../ir/numeric.ts";
import { float32 } from "../ir/tensor.ts";
import type { Op } from "./op.ts";
import { makeType, typeAt } from "./shared/types.ts";
import { doublesOf, fromDoubles, tensorAt } from "./shared/values.ts";

/**
 * Codes in uint8 over the range that the data themselves have, stretched to hold 0: `scale = (high − low) / 255`,
 * `zero = round(−low / scale)`, `y = round(x / scale) + zero`, all saturated to 0…255. Divisions are in float32.
 */
const op: Op = {
  infer: (node, inputs) => [
    makeType("uint8", typeAt(node, inputs, 0, ["float32"]).shape),
    makeType("float32", []),
    makeType("uint8", []),
  ],
  evaluate(node, inputs) {
    const tensor = tensorAt(node, inputs, 0);
    const source = doublesOf(tensor);
    let [low, high] = [0, 0];
    for (let index = 0; index < source.length; index++) {
      low = Math.min(low, source[index]);
      high = Math.max(high, source[index]);
    }
    const saturate = (code: number): number => Math.min(255, Math.max(0, code));
    const scale = Math.fround(Math.fround(high - low) / 255);
    // All zeros: any scale does, and 1 keeps the division away from 0.
    const step = scale === 0 ? 1 : scale;
    const zero = roundHalfEven(saturate(Math.fround(-low / step)));
    const codes = Array.from(source, (x) => saturate(roundHalfEven(Math.fround(x / step)) + zero));
    return [fromDoubles("uint8", tensor.shape, codes), float32([], [scale]), fromDoubles("uint8", [], [zero])];
  },
};

export default op;
