/** Normalisation over groups of elements: the mean is taken off and the standard deviation divided out. */

/** Mean and population variance of `values[start, start + count)`, in double. */
export function momentsOf(values: ArrayLike<number>, start: number, count: number): { mean: number; variance: number } {
  let mean = 0;
  for (let index = start; index < start + count; index++) mean += values[index];
  mean /= count;
  let variance = 0;
  for (let index = start; index < start + count; index++) variance += (values[index] - mean) ** 2;
  return { mean, variance: variance / count };
}

/** Each run of `count` elements as `(x − mean) / √(variance + epsilon)` of that run. */
export function standardised(values: ArrayLike<number>, count: number, epsilon: number): Float64Array {
  const result = new Float64Array(values.length);
  for (let start = 0; start < values.length; start += count) {
    const { mean, variance } = momentsOf(values, start, count);
    const scale = 1 / Math.sqrt(variance + epsilon);
    for (let index = start; index < start + count; index++) result[index] = (values[index] - mean) * scale;
  }
  return result;
}
