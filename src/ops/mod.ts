import { intAttr } from "../ir/graph.ts";
import type { Op } from "./op.ts";
import { inferBroadcast, zip } from "./shared/elementwise.ts";
import { FLOATS, NUMBERS, reject, typeAt } from "./shared/types.ts";
import { type Element, tensorAt } from "./shared/values.ts";

/** The remainder with the sign of the dividend (C's fmod); by integer zero it is 0. */
function truncated(a: Element, b: Element): number | bigint {
  if (typeof a === "bigint") return b === 0n ? 0n : a % (b as bigint);
  return Number(a) % Number(b);
}

/** The remainder with the sign of the divisor (Python's %). */
function floored(a: Element, b: Element): number | bigint {
  const rest = truncated(a, b);
  if (typeof rest === "bigint") return rest !== 0n && rest < 0n !== (b as bigint) < 0n ? rest + (b as bigint) : rest;
  return rest !== 0 && rest < 0 !== Number(b) < 0 ? rest + Number(b) : rest;
}

/** `z = a mod b` with broadcasting: fmod=0 has the sign of b (integers only), fmod=1 that of a. */
const op: Op = {
  infer(node, inputs, context) {
    const { dtype } = typeAt(node, inputs, 0, NUMBERS);
    if (FLOATS.includes(dtype) && intAttr(node, "fmod", 0) === 0) {
      reject(node, `Mod of ${dtype} needs fmod=1`);
    }
    return inferBroadcast(NUMBERS)(node, inputs, context);
  },
  evaluate(node, inputs) {
    const [a, b] = [tensorAt(node, inputs, 0), tensorAt(node, inputs, 1)];
    const remainder = intAttr(node, "fmod", 0) === 0 ? floored : truncated;
    return [zip(node, a, b, a.dtype, remainder)];
  },
};

export default op;
