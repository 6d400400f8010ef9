/** Sums of products: the array's inner loop. */

/**
 * sums[o·pixels + p] = Σ_k patches[p·depth + k] · weights[o·depth + k], in 32 bits. Four channels and two pixels at a
 * time, so that six loads serve eight products.
 */
export function multiply(
  patches: Int16Array,
  pixels: number,
  weights: Int16Array,
  channels: number,
  depth: number,
  sums: Int32Array,
): void {
  let channel = 0;
  for (; channel + 4 <= channels; channel += 4) {
    const w0 = channel * depth;
    const w1 = w0 + depth;
    const w2 = w1 + depth;
    const w3 = w2 + depth;
    let pixel = 0;
    for (; pixel + 2 <= pixels; pixel += 2) {
      const p0 = pixel * depth;
      const p1 = p0 + depth;
      let [a0, a1, a2, a3, b0, b1, b2, b3] = [0, 0, 0, 0, 0, 0, 0, 0];
      for (let k = 0; k < depth; k++) {
        const x = patches[p0 + k];
        const y = patches[p1 + k];
        const v0 = weights[w0 + k];
        const v1 = weights[w1 + k];
        const v2 = weights[w2 + k];
        const v3 = weights[w3 + k];
        a0 = (a0 + Math.imul(x, v0)) | 0;
        a1 = (a1 + Math.imul(x, v1)) | 0;
        a2 = (a2 + Math.imul(x, v2)) | 0;
        a3 = (a3 + Math.imul(x, v3)) | 0;
        b0 = (b0 + Math.imul(y, v0)) | 0;
        b1 = (b1 + Math.imul(y, v1)) | 0;
        b2 = (b2 + Math.imul(y, v2)) | 0;
        b3 = (b3 + Math.imul(y, v3)) | 0;
      }
      const s = channel * pixels + pixel;
      sums[s] = a0;
      sums[s + pixels] = a1;
      sums[s + 2 * pixels] = a2;
      sums[s + 3 * pixels] = a3;
      sums[s + 1] = b0;
      sums[s + pixels + 1] = b1;
      sums[s + 2 * pixels + 1] = b2;
      sums[s + 3 * pixels + 1] = b3;
    }
    for (; pixel < pixels; pixel++) {
      for (let c = channel; c < channel + 4; c++) sums[c * pixels + pixel] = dot(patches, pixel, weights, c, depth);
    }
  }
  for (; channel < channels; channel++) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      sums[channel * pixels + pixel] = dot(patches, pixel, weights, channel, depth);
    }
  }
}

function dot(patches: Int16Array, pixel: number, weights: Int16Array, channel: number, depth: number): number {
  const p = pixel * depth;
  const w = channel * depth;
  let sum = 0;
  for (let k = 0; k < depth; k++) sum = (sum + Math.imul(patches[p + k], weights[w + k])) | 0;
  return sum;
}

/** The signed high and the unsigned low byte of 16-bit values: v = 256·high + low. */
export function splitBytes(values: Int32Array, count: number, high: Int16Array, low: Int16Array): void {
  for (let i = 0; i < count; i++) {
    high[i] = values[i] >> 8;
    low[i] = values[i] & 255;
  }
}
