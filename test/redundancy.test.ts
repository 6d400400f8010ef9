import { describe, expect, test } from "vitest";
import type { Codes } from "../src/artifact/golden.ts";
import { CompileError } from "../src/error.ts";
import { disagreementOf, redundantExecutor } from "../src/redundancy.ts";
import type { Executor } from "../src/replay.ts";

const codes = (...bytes: number[]): Codes => ({
  ...{ name: "y", dtype: "int8", shape: [bytes.length], bytes: Uint8Array.from(bytes) },
});

/** Counts its frames; flips one bit of one frame. */
function soc(flipped?: number): Executor {
  let frame = 0;
  return {
    run: ([{ bytes }]) => {
      const outputs = bytes.map((byte) => (byte + frame) & 255);
      if (frame++ === flipped) outputs[1] ^= 16;
      return [codes(...outputs)];
    },
    reset: () => {
      frame = 0;
    },
  };
}

describe("two SoCs", () => {
  test("that agree deliver, states and all", () => {
    const { executor, seen } = redundantExecutor([soc(), soc()], (frame) => [3, 3 + frame / 10], 0.5);
    for (let frame = 0; frame < 4; frame++) {
      expect(executor.run([codes(1, 2, 3)])[0].bytes).toEqual(Uint8Array.of(1 + frame, 2 + frame, 3 + frame));
    }
    executor.reset();
    expect(executor.run([codes(7, 7)])[0].bytes).toEqual(Uint8Array.of(7, 7));
    expect(seen()).toEqual({ frames: 5, largestSkewMs: expect.closeTo(0.4, 9), allowedSkewMs: 0.5 });
  });

  test.each([
    [0, [soc(2), soc()]],
    [1, [soc(), soc(2)]],
  ] as const)("a flipped bit on SoC %i is seen in its frame", (_, socs) => {
    const { executor } = redundantExecutor([socs[0], socs[1]], () => [1, 1]);
    executor.run([codes(0, 0, 0)]);
    executor.run([codes(0, 0, 0)]);
    let thrown: unknown;
    try {
      executor.run([codes(0, 0, 0)]);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CompileError);
    expect(thrown).toMatchObject({ code: "gate/socs-disagree", where: "frame 2" });
    expect((thrown as Error).message).toMatch(/output "y", byte 1: (2|18) instead of (2|18)/);
  });

  test("deliver too far apart, or not the same outputs", () => {
    const one = { outputs: [codes(1)], ms: 1 };
    expect(disagreementOf(one, { ...one, ms: 3.5 }, 2)).toBe("the SoCs deliver 2.50 ms apart, allowed are 2 ms");
    expect(disagreementOf(one, { ...one, ms: 3.5 })).toBeUndefined();
    expect(disagreementOf(one, { outputs: [], ms: 1 })).toMatch(/missing/);
    expect(disagreementOf({ outputs: [], ms: 1 }, one)).toMatch(/missing/);
    expect(disagreementOf(one, { outputs: [codes(1, 2)], ms: 1 })).toMatch(/2 bytes, not 1|1 bytes, not 2/);
  });
});
