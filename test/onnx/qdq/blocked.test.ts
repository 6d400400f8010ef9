import { describe, expect, it } from "vitest";
import type { Tensor } from "../../../src/ir/graph.ts";
import { numbersOf } from "../../../src/ir/tensor.ts";
import { parse } from "../../../src/ir/text.ts";
import { decodeModel } from "../../../src/onnx/read.ts";
import { encodeModel } from "../../../src/onnx/write.ts";
import { interpret } from "../../../src/run/interpret.ts";
import { createSession } from "../../../src/run/ort.ts";
import { seededFeeds } from "../../harness/pass.ts";

const list = (count: number, of: (at: number) => number) => `[${Array.from({ length: count }, (_, at) => of(at))}]`;
const scales = (count: number) => list(count, (at) => (at + 1) / 64);
const factors = (count: number) => list(count, (at) => 1 + ((at * 5) % 17));

const CASES: readonly (readonly [string, string])[] = [
  [
    "a product",
    `input x: float32[8,128]
     const w: int4[128,32]{scale=${scales(32)}, axis=1, multipliers=${factors(128)}, each=32} = random(1)
     y = MatMul(x, w)`,
  ],
  [
    "a product with a transposed matrix",
    `input x: float32[8,128]
     const w: int4[32,128]{scale=${scales(32)}, axis=0, multipliers=${factors(64)}, each=64} = random(2)
     y = Gemm(x, w) transB=1`,
  ],
  [
    "a convolution",
    `input x: float32[1,6,9,9]
     const w: int4[4,6,3,3]{scale=${scales(4)}, axis=0, multipliers=${factors(8)}, each=32} = random(3)
     y = Conv(x, w) kernel_shape=[3,3]`,
  ],
  [
    "a transposed convolution",
    `input x: float32[1,6,5,5]
     const w: int4[6,4,3,2]{scale=${scales(4)}, axis=1, multipliers=${factors(8)}, each=32} = random(4)
     y = ConvTranspose(x, w) kernel_shape=[3,2]`,
  ],
];

/** Signal to noise in decibels. */
function quality(want: Tensor, got: Tensor): number {
  const [a, b] = [numbersOf(want), numbersOf(got)];
  const power = a.reduce((sum, value) => sum + value * value, 0);
  return 10 * Math.log10(power / a.reduce((sum, value, at) => sum + (value - b[at]) ** 2, 1e-30));
}

describe("weights of 4 bits as ONNX's blocks", () => {
  // Where ONNX Runtime makes a product of int4 and rounded activations of it, some 50 dB are left.
  it.each(CASES.flatMap(([name, text]) => [true, false].map((apart) => [name, text, apart] as const)))(
    "%s, as ONNX Runtime computes it",
    async (_, text, apart) => {
      const graph = parse(`${text}\n return y`);
      const model = encodeModel(graph);
      const feeds = seededFeeds(graph, 7);
      const session = await createSession(model, { disableQdqFusion: apart });
      const got = (await session.run(feeds)).get("y") as Tensor;
      await session.release();
      expect(quality(interpret(graph, feeds).get("y") as Tensor, got)).toBeGreaterThan(110);
    },
  );

  it("are int4 initializers in the file", () => {
    const graph = parse(`${CASES[2][1]}\n return y`);
    const constants = [...decodeModel(encodeModel(graph)).constants.values()];
    expect(constants.map(({ dtype, shape }) => `${dtype}[${shape}]`).sort()).toEqual([
      "float32[4,2]",
      "int4[4,54]",
      "int64[4]",
    ]);
  });
});
