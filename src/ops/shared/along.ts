/** Work on every line of a tensor along one axis. */
import { elementCount, type Tensor } from "../../ir/graph.ts";
import { axisView } from "./index.ts";
import { doublesOf, fromDoubles } from "./values.ts";

/** Each line replaced by one of the same length. */
export function alongAxis(
  tensor: Tensor,
  axis: number,
  compute: (line: readonly number[]) => readonly number[],
): Tensor {
  const source = doublesOf(tensor);
  const values = new Float64Array(elementCount(tensor.shape));
  const { outer, size, inner } = axisView(tensor.shape, axis);
  const line = new Array<number>(size);
  for (let block = 0; block < outer; block++) {
    for (let within = 0; within < inner; within++) {
      const start = block * size * inner + within;
      for (let at = 0; at < size; at++) line[at] = source[start + at * inner];
      compute(line).forEach((value, at) => {
        values[start + at * inner] = value;
      });
    }
  }
  return fromDoubles(tensor.dtype, tensor.shape, values);
}

/** `e^x / Σ e^x` of a line, shifted by its maximum so that nothing overflows. A line of −∞ gives NaN, as the sum is 0. */
export function softmax(line: readonly number[]): number[] {
  const largest = line.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const powers = line.map((value) => Math.exp(value - largest));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}

/** `x − ln Σ e^x` of a line, shifted likewise. */
export function logSoftmax(line: readonly number[]): number[] {
  const largest = line.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const total = line.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  return line.map((value) => value - largest - Math.log(total));
}
