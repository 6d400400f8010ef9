import { describe, expect, it } from "vitest";
import { normal, splitMix } from "../../src/data/random.ts";
import { addNoise, blur, type Pixels, planes, resize, upsideDown } from "../../src/data/render.ts";

/** A picture of grey values, given row by row. */
const grey = (rows: readonly (readonly number[])[]): Pixels => ({
  width: rows[0].length,
  height: rows.length,
  data: Float32Array.from(rows.flat().flatMap((value) => [value, value, value])),
});
const rowsOf = ({ width, height, data }: Pixels): number[][] =>
  Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => data[(y * width + x) * 3]));

describe("pictures", () => {
  it("keep their size's pixels, and are interpolated between centres", () => {
    const picture = grey([
      [0, 100],
      [50, 150],
    ]);
    expect(resize(picture, 2, 2)).toEqual(picture);
    expect(rowsOf(resize(grey([[0, 100]]), 4, 1))).toEqual([[0, 25, 75, 100]]);
    expect(
      rowsOf(
        resize(
          grey([
            [0, 100],
            [0, 100],
          ]),
          1,
          1,
        ),
      ),
    ).toEqual([[50]]);
  });

  it("are blurred by 1-2-1 along both axes; an even one stays", () => {
    expect(
      rowsOf(
        blur(
          grey([
            [0, 0, 0],
            [0, 16, 0],
            [0, 0, 0],
          ]),
          1,
        ),
      ),
    ).toEqual([
      [1, 2, 1],
      [2, 4, 2],
      [1, 2, 1],
    ]);
    expect(
      rowsOf(
        blur(
          grey([
            [7, 7],
            [7, 7],
          ]),
          3,
        ),
      ),
    ).toEqual([
      [7, 7],
      [7, 7],
    ]);
    const picture = grey([[1, 2]]);
    expect(blur(picture, 0)).toEqual(picture);
  });

  it("are turned by half a circle, and back", () => {
    const picture = grey([
      [1, 2],
      [3, 4],
    ]);
    expect(rowsOf(upsideDown(picture))).toEqual([
      [4, 3],
      [2, 1],
    ]);
    expect(upsideDown(upsideDown(picture))).toEqual(picture);
  });

  it("become planes in the order asked for, 0 right of the picture", () => {
    const picture: Pixels = { width: 1, height: 1, data: Float32Array.of(255, 0, 127.5) };
    expect([...planes(picture, 2, "rgb")].map((value) => Number(value.toFixed(2)))).toEqual([1, 0, -1, 0, 0, 0]);
    expect([...planes(picture, 1, "bgr")].map((value) => Number(value.toFixed(2)))).toEqual([0, -1, 1]);
  });

  it("get noise of the deviation asked for, the same in all channels, inside 0..255", () => {
    const picture = grey([Array.from({ length: 5000 }, () => 128)]);
    const { data } = addNoise(picture, 10, splitMix(1));
    const greys = rowsOf({ ...picture, data })[0];
    const mean = greys.reduce((sum, value) => sum + value, 0) / greys.length;
    const deviation = Math.sqrt(greys.reduce((sum, value) => sum + (value - mean) ** 2, 0) / greys.length);
    expect(mean).toBeCloseTo(128, 0);
    expect(deviation).toBeCloseTo(10, 0);
    expect(data[0]).toBe(data[2]);
    expect(Math.max(...addNoise(picture, 500, splitMix(1)).data)).toBeLessThanOrEqual(255);
  });
});

describe("normal", () => {
  it("has mean 0 and deviation 1, and the same numbers for the same seed", () => {
    const [one, two] = [splitMix(9), splitMix(9)];
    const values = Array.from({ length: 20_000 }, () => normal(one));
    expect(values[0]).toBe(normal(two));
    expect(values.reduce((sum, value) => sum + value, 0) / values.length).toBeCloseTo(0, 1);
    expect(values.reduce((sum, value) => sum + value * value, 0) / values.length).toBeCloseTo(1, 1);
  });
});
