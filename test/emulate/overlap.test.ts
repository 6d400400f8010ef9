import fc from "fast-check";
import { expect, test } from "vitest";
import { operandsOverlap } from "../../src/emulate/overlap.ts";
import { type Operand, STORAGE_BYTES } from "../../src/schedule/program.ts";

function bytesOf({ address, dtype, shape, strides }: Operand): Set<number> {
  let starts = [address];
  shape.forEach((size, axis) => {
    starts = starts.flatMap((at) =>
      Array.from({ length: size }, (_, step) => at + step * strides[axis] * STORAGE_BYTES[dtype]),
    );
  });
  return new Set(starts.flatMap((at) => Array.from({ length: STORAGE_BYTES[dtype] }, (_, byte) => at + byte)));
}

const anyOperand = fc
  .array(fc.record({ size: fc.integer({ min: 1, max: 4 }), stride: fc.integer({ min: -9, max: 30 }) }), {
    maxLength: 3,
  })
  .chain((axes) =>
    fc.record({
      space: fc.constant("sram" as const),
      address: fc.integer({ min: 300, max: 420 }),
      dtype: fc.constantFrom("int8" as const, "int16" as const, "int32" as const),
      shape: fc.constant(axes.map(({ size }) => size)),
      strides: fc.constant(axes.map(({ stride }) => stride)),
    }),
  );

test("any two strided operands overlap where they share a byte", () => {
  fc.assert(
    fc.property(anyOperand, anyOperand, (a, b) => {
      const own = bytesOf(a);
      expect(operandsOverlap(a, b)).toBe([...bytesOf(b)].some((byte) => own.has(byte)));
    }),
    { numRuns: 3000, seed: 1 },
  );
});

/** Rows of a tensor of 64 channels, 56 × 56. */
function strip(row: number, rows: number): Operand {
  return { space: "sram", address: row * 56, dtype: "int8", shape: [1, 64, rows, 56], strides: [200704, 3136, 56, 1] };
}

test("strips of one tensor overlap where they share rows", () => {
  expect(operandsOverlap(strip(0, 28), strip(28, 28))).toBe(false);
  expect(operandsOverlap(strip(0, 28), strip(27, 28))).toBe(true);
  expect(operandsOverlap(strip(0, 28), { ...strip(0, 28), space: "dram" })).toBe(false);
});
