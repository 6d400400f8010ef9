import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeGolden, encodeGolden, type GoldenSequence } from "../../src/artifact/golden.ts";
import { decodeLineage } from "../../src/artifact/lineage.ts";
import { disagreement, type Executor } from "../../src/replay.ts";

const codes = (name: string, ...bytes: number[]) => ({
  name,
  dtype: "int8",
  shape: [1, bytes.length],
  bytes: Uint8Array.from(bytes),
});
const sequences: GoldenSequence[] = [
  [
    { inputs: [codes("x", 1, 2)], outputs: [codes("y", 3), codes("h", 1)] },
    { inputs: [codes("x", 4, 5)], outputs: [codes("y", 9), codes("h", 2)] },
  ],
  [{ inputs: [codes("x", 0, 0)], outputs: [codes("y", 0), codes("h", 1)] }],
];

describe("golden vectors", () => {
  const bytes = encodeGolden(sequences);

  test("come back as they were, step by step", () => {
    expect(decodeGolden(bytes)).toEqual(sequences);
    expect(decodeGolden(encodeGolden([]))).toEqual([]);
  });

  test("that are cut, lengthened or changed in their index are refused or other ones", () => {
    const refused = expect.objectContaining({ code: "trust/golden" }) as Error;
    for (let end = 0; end < bytes.length; end++) expect(() => decodeGolden(bytes.slice(0, end))).toThrow(refused);
    expect(() => decodeGolden(Uint8Array.from([...bytes, 0]))).toThrow(refused);
    expect(() => decodeGolden(Uint8Array.from([255, 255, 255, 255]))).toThrow(refused);
  });

  test("survive noise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        expect(() => decodeGolden(noise)).toThrow(expect.objectContaining({ code: "trust/golden" }) as Error);
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});

describe("disagreement", () => {
  /** Counts its steps since the reset into `h`; `y` is the sum of the input, spoilt from a step on. */
  function counting(spoiltFrom: number): Executor {
    let [step, total] = [0, 0];
    return {
      reset: () => {
        step = 0;
      },
      run([{ bytes }]) {
        step++;
        const wrong = total++ >= spoiltFrom ? 1 : 0;
        return [codes("h", step), codes("y", bytes[0] + bytes[1] + wrong)];
      },
    };
  }

  test("is none where all codes are equal, in whatever order outputs come, with states reset between sequences", () => {
    expect(disagreement(sequences, counting(99))).toBeUndefined();
  });

  test.each([
    [0, 'sequence 0, step 0, output "y", byte 0: 4 instead of 3'],
    [1, 'sequence 0, step 1, output "y", byte 0: 10 instead of 9'],
    [2, 'sequence 1, step 0, output "y", byte 0: 1 instead of 0'],
  ])("names the first step that differs: %i", (from, says) => {
    expect(disagreement(sequences, counting(from))).toBe(says);
  });

  test("names outputs that are missing or of another size", () => {
    const answer = (...outputs: ReturnType<typeof codes>[]) => ({ run: () => outputs, reset: () => undefined });
    expect(disagreement(sequences, answer(codes("y", 3)))).toContain('output "h" is missing');
    expect(disagreement(sequences, answer(codes("y", 3, 3), codes("h", 1)))).toContain("has 2 bytes, not 1");
  });
});

describe("lineage", () => {
  test.each([undefined, new Uint8Array(0), new TextEncoder().encode("{}"), Uint8Array.from([0xff])])(
    "%s is none",
    (bytes) => {
      expect(() => decodeLineage(bytes)).toThrow(expect.objectContaining({ code: "trust/lineage" }) as Error);
    },
  );
});
