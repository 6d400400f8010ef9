import { describe, expect, it } from "vitest";
import { dequantize } from "../../../src/ir/codes.ts";
import { unpack } from "../../../src/ir/numbers.ts";
import { seededRandom } from "../../../src/ir/random.ts";
import { makeTensor } from "../../../src/ir/tensor.ts";
import { quantizeInt4 } from "../../../src/quant/int4.ts";
import { nearestRows } from "../../../src/quant/rounding/nearest.ts";

function weights(rows: number, depth: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: rows * depth }, (_, at) => (random() - 0.5) * (1 + (Math.floor(at / 32) % 9)));
}

describe("nearestRows", () => {
  it.each([
    [1, 32, 32],
    [3, 96, 32],
    [70, 1024, 64],
    [5, 512, 128],
  ])("%i rows of %i in blocks of %i: each weight by its own definition", (rows, depth, block) => {
    const values = weights(rows, depth, depth + block);
    const { codes, multipliers, scale } = nearestRows(values, rows, depth, block, 17);
    const whole = unpack("int4", codes, rows * depth);
    const blocks = depth / block;
    for (let row = 0; row < rows; row++) {
      const reach = Math.max(...values.subarray(row * depth, (row + 1) * depth).map(Math.abs));
      expect(scale[row]).toBeCloseTo(reach / 119, 8);
      for (let at = 0; at < depth; at++) {
        const place = row * depth + at;
        const index = row * blocks + Math.floor(at / block);
        const part = values.subarray(row * depth + Math.floor(at / block) * block).subarray(0, block);
        const wanted = Math.max(...part.map(Math.abs)) / (7 * scale[row]);
        expect(Math.abs(multipliers[index] - wanted - 0.5)).toBeLessThan(0.501);
        const step = multipliers[index] * scale[row];
        expect(Math.abs(Number(whole[place]) * step - values[place])).toBeLessThan(step * 0.5001);
        expect(Math.abs(Number(whole[place]))).toBeLessThanOrEqual(7);
      }
    }
  });

  it("gives a row of zeros the scale 0, and the tensor one that serves", () => {
    const values = weights(4, 64, 1);
    values.fill(0, 64, 128);
    expect(nearestRows(values, 4, 64, 32, 17).scale[1]).toBe(0);
    const tensor = quantizeInt4(makeTensor("float32", [4, 64], values), 0, 32, "max");
    expect(tensor.quant?.scale[1]).toBe(Math.max(...(tensor.quant?.scale ?? [])));
    expect((dequantize(tensor).data as Float32Array).subarray(64, 128).every((value) => value === 0)).toBe(true);
  });

  it("leaves rows that are far too small for a scale of their own to the plain way", () => {
    const values = weights(2, 64, 2);
    for (let at = 0; at < 64; at++) values[at] *= 1e-9;
    const [small, large] = quantizeInt4(makeTensor("float32", [2, 64], values), 0, 32, "max").quant?.scale ?? [];
    expect(small / large).toBeCloseTo(2 ** -16, 8);
  });
});
