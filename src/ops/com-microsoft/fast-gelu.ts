import { biasedGradient, tanhSlope } from "../gradient/gelu.ts";
import type { Op } from "../op.ts";
import { mapTensor, zip } from "../shared/elementwise.ts";
import { broadcastDims, FLOATS, optionalTypeAt, typeAt } from "../shared/types.ts";
import { optionalTensorAt, tensorAt } from "../shared/values.ts";

function gelu(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
}

/** The tanh form of Gelu, of the input or of its sum with a bias along the last axis. */
const op: Op = {
  gradient: biasedGradient(tanhSlope),
  infer(node, inputs) {
    const type = typeAt(node, inputs, 0, FLOATS);
    broadcastDims(node, [type.shape, optionalTypeAt(node, inputs, 1, FLOATS)?.shape]);
    return [type];
  },
  evaluate(node, inputs) {
    const x = tensorAt(node, inputs, 0);
    const bias = optionalTensorAt(node, inputs, 1);
    if (bias === undefined) return [mapTensor(x, gelu)];
    return [zip(node, x, bias, x.dtype, (a, b) => gelu(Number(a) + Number(b)))];
  },
};

export default op;
