import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/graph.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, int64 } from "../../src/ir/tensor.ts";
import { type Augmentation, augmentInput } from "../../src/training/augment.ts";

const NONE = { crop: 0, flip: false, noise: 0 };

function augmented(tensor: Tensor, augment: Augmentation, seed = "augment"): Tensor["data"] {
  const feeds = new Map([["x", tensor]]);
  augmentInput(feeds, augment, seededRandom(seed));
  return feeds.get("x")!.data;
}

const ones = (shape: readonly number[]): Tensor =>
  float32(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1));

describe("augmentation", () => {
  it("sets whole rows and whole columns to 0, alike in a sample's planes", () => {
    const [samples, planes, rows, columns] = [40, 2, 8, 10];
    const data = augmented(ones([samples, planes, rows, columns]), {
      ...NONE,
      bands: { count: 1, rows: 3, columns: 4 },
    });
    const at = (sample: number, plane: number, row: number, column: number): number =>
      Number((data as Float32Array)[((sample * planes + plane) * rows + row) * columns + column]);
    const seen = new Set<string>();
    for (let sample = 0; sample < samples; sample++) {
      const row = Array.from({ length: rows }, (_, y) =>
        Array.from({ length: columns }, (_, x) => at(sample, 0, y, x)),
      );
      const gone = row.map((line) => line.every((value) => value === 0));
      const [across] = [gone.filter(Boolean).length];
      const left = row.find((_, y) => !gone[y]) ?? [];
      const along = left.filter((value) => value === 0).length;
      expect(across).toBeLessThanOrEqual(3);
      expect(along).toBeLessThanOrEqual(4);
      for (const [y, line] of row.entries()) {
        expect(line).toEqual(gone[y] ? line.map(() => 0) : left);
        expect(line).toEqual(Array.from({ length: columns }, (_, x) => at(sample, 1, y, x)));
      }
      seen.add(`${across} ${along}`);
    }
    expect(seen.size).toBeGreaterThan(10);
  });

  it("hides class numbers", () => {
    const data = augmented(
      int64(
        [1, 2000],
        Array.from({ length: 2000 }, (_, at) => at % 50),
      ),
      {
        ...NONE,
        tokens: { share: 0.2, value: 99 },
      },
    ) as BigInt64Array;
    const hidden = [...data].filter((value) => value === 99n).length;
    expect(hidden).toBeGreaterThan(320);
    expect(hidden).toBeLessThan(480);
    expect([...data].every((value, at) => value === 99n || value === BigInt(at % 50))).toBe(true);
  });

  it("follows from the seed", () => {
    const augment = { ...NONE, noise: 0.1, bands: { count: 2, rows: 2, columns: 2 } };
    expect(augmented(ones([3, 4, 5]), augment)).toEqual(augmented(ones([3, 4, 5]), augment));
    expect(augmented(ones([3, 4, 5]), augment, "other")).not.toEqual(augmented(ones([3, 4, 5]), augment));
  });

  it.each<[string, Tensor, Augmentation]>([
    ["numbers for class numbers", ones([2, 3]), { ...NONE, tokens: { share: 0.1, value: 0 } }],
    ["class numbers for pictures", int64([1, 3], [1, 2, 3]), { ...NONE, noise: 1 }],
    ["three axes for pictures", ones([2, 3, 4]), { ...NONE, flip: true }],
    ["two axes for spectrograms", ones([2, 3]), { ...NONE, bands: { count: 1, rows: 1, columns: 1 } }],
  ])("refuses %s", (_, tensor, augment) => {
    expect(() => augmented(tensor, augment)).toThrow(expect.objectContaining({ code: "usage/recipe" }));
  });
});
