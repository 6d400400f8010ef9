import type { RidingOf } from "./integer.ts";
import { lowerUnary } from "./lowering/elementwise.ts";
import type { Op } from "./op.ts";
import { mapTensor } from "./shared/elementwise.ts";
import { NUMBERS, reject, requireSameDType, typeAt } from "./shared/types.ts";
import { elementsOf, optionalTensorAt, tensorAt } from "./shared/values.ts";

const riding: RidingOf = (node, constant) => {
  const low = node.inputs[1] ? constant(1) : Number.NEGATIVE_INFINITY;
  const high = node.inputs[2] ? constant(2) : Number.POSITIVE_INFINITY;
  return low === undefined || high === undefined ? undefined : { kind: "clamp", low, high };
};

/** `y = min(max(x, low), high)`; inputs 1 and 2 are scalars and may be absent. Where low > high, y is high. */
const op: Op = {
  riding,
  integer: lowerUnary(riding),
  operands: { data: [0] },
  infer(node, inputs) {
    requireSameDType(node, inputs, 0, 1);
    requireSameDType(node, inputs, 0, 2);
    return [typeAt(node, inputs, 0, NUMBERS)];
  },
  evaluate(node, inputs) {
    const bound = (index: number): number | bigint | undefined => {
      const tensor = optionalTensorAt(node, inputs, index);
      if (tensor === undefined) return undefined;
      const values = elementsOf(tensor);
      if (values.length !== 1) reject(node, `the bound at input ${index} has ${values.length} elements, not one`);
      return values[0] as number | bigint;
    };
    const [low, high] = [bound(1), bound(2)];
    const clip = <N extends number | bigint>(x: N): N => {
      const raised = low !== undefined && x < low ? (low as N) : x;
      return high !== undefined && raised > high ? (high as N) : raised;
    };
    return [mapTensor(tensorAt(node, inputs, 0), clip, clip)];
  },
};

export default op;
