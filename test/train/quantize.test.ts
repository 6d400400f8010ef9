/** Fake quantization's gradients against the formulas of LSQ and LSQ+, in the interpreter and under ONNX Runtime. */
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/ir/graph.ts";
import { roundHalfEven } from "../../src/ir/numbers.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { interpret } from "../../src/run/interpret.ts";
import { createSession } from "../../src/run/ort.ts";
import { differentiate } from "../../src/train/differentiate.ts";

interface Case {
  readonly name: string;
  readonly dtype: string;
  readonly low: number;
  readonly high: number;
  readonly scale: number[];
  readonly zero: number[];
}

const CASES: readonly Case[] = [
  { name: "one scale, uint8", dtype: "uint8", low: 0, high: 255, scale: [0.005], zero: [120] },
  { name: "a scale a channel, int4", dtype: "int4", low: -8, high: 7, scale: [0.05, 0.1, 0.2], zero: [0, 0, 0] },
  {
    name: "a scale and a zero point a channel, int8",
    dtype: "int8",
    low: -128,
    high: 127,
    scale: [0.01, 0.004, 0.02],
    zero: [3, -5, 0],
  },
];
const ROWS = 4;

function formulas({ low, high, scale, zero }: Case, x: readonly number[], dy: readonly number[]) {
  const dx = x.map(() => 0);
  const ds = scale.map(() => 0);
  x.forEach((value, at) => {
    const channel = scale.length === 1 ? 0 : Math.floor(at / ROWS) % scale.length;
    const v = value / scale[channel];
    const code = roundHalfEven(v) + zero[channel];
    const inside = code >= low && code <= high;
    dx[at] = inside ? dy[at] : 0;
    const bound = Math.min(high, Math.max(low, code)) - zero[channel];
    ds[channel] += dy[at] * (inside ? roundHalfEven(v) - v : bound);
  });
  return { dx, ds };
}

describe("fake quantization", () => {
  test.each(CASES.map((each) => [each.name, each] as const))("%s", async (_, given) => {
    const { dtype, scale, zero } = given;
    const shape = scale.length === 1 ? "" : `${scale.length}`;
    const graph = parse(`
      input x: float32[3, ${ROWS}]
      const s: float32[${shape}] = ${shape === "" ? scale[0] : `[${scale}]`}
      const z: ${dtype}[${shape}] = ${shape === "" ? zero[0] : `[${zero}]`}
      const c: float32[3, ${ROWS}] = random(5, -1, 1)
      q = QuantizeLinear(x, s, z) axis=0
      y = DequantizeLinear(q, s, z) axis=0
      w = Mul(y, c)
      loss = ReduceSum(w) keepdims=0
      return loss
    `);
    const random = seededRandom("fake");
    const x = float32(
      [3, ROWS],
      Array.from({ length: 3 * ROWS }, () => 2 * random() - 1),
    );
    const step = differentiate(graph, { loss: "loss", parameters: ["x", "s"] });
    const feeds = new Map([
      ["x", x],
      ["s", graph.constants.get("s") as Tensor],
    ]);
    const wanted = formulas(given, numbersOf(x), numbersOf(graph.constants.get("c") as Tensor));
    const session = await createSession(encodeModel(step));
    for (const found of [interpret(step, feeds), await session.run(feeds)]) {
      expect(numbersOf(found.get("gradient/x") as Tensor)).toEqual(wanted.dx.map((each) => expect.closeTo(each, 5)));
      expect(numbersOf(found.get("gradient/s") as Tensor)).toEqual(wanted.ds.map((each) => expect.closeTo(each, 3)));
    }
    await session.release();
    // Something has to be clamped and something not, or half of the formula was not looked at.
    expect(new Set(wanted.dx.map((each) => each === 0)).size).toBe(2);
  });

  test("a zero point learns where codes are clamped", () => {
    const graph = parse(`
      input x: float32[4]
      const s: float32[] = 0.1
      const z: int8[] = 2
      q = QuantizeLinear(x, s, z)
      y = DequantizeLinear(q, s, z)
      loss = ReduceSum(y) keepdims=0
      return loss
    `);
    const step = differentiate(graph, { loss: "loss", parameters: ["z"] });
    const feeds = new Map([
      ["x", float32([4], [-20, 0.3, 1, 20])],
      ["z", graph.constants.get("z") as Tensor],
    ]);
    const [by] = numbersOf(interpret(step, feeds).get("gradient/z") as Tensor);
    // −s for each of the two that are clamped.
    expect(by).toBeCloseTo(-0.2, 6);
  });
});
