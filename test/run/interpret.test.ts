import { describe, expect, it } from "vitest";
import type { Tensor } from "../../src/ir/graph.ts";
import { encode } from "../../src/ir/numbers.ts";
import { float32 } from "../../src/ir/tensor.ts";
import { parse } from "../../src/ir/text.ts";
import { interpret } from "../../src/run/interpret.ts";

function run(text: string, feeds: Record<string, Tensor>, keep: string[] = []): Record<string, unknown> {
  const outputs = interpret(parse(text), new Map(Object.entries(feeds)), { keep: new Set(keep) });
  return Object.fromEntries(
    [...outputs].map(([name, value]) => [name, Array.from((value as Tensor).data as Float32Array)]),
  );
}

describe("interpret", () => {
  it("runs node after node", () => {
    const text = "input x: float32[3]\nconst b: float32[3] = [1, 1, 1]\ny = Relu(x)\nz = Add(y, b)\nreturn z";
    expect(run(text, { x: float32([3], [-1, 0, 2]) })).toEqual({ z: [1, 1, 3] });
  });

  it("keeps what it is asked to keep", () => {
    const text = "input x: float32[1]\ny = Relu(x)\nz = Neg(y)\nreturn z";
    expect(run(text, { x: float32([1], [2]) }, ["y"])).toEqual({ y: [2], z: [-2] });
  });

  it("takes the branch, with the values around it", () => {
    const text =
      "input c: bool[]\ninput x: float32[1]\ny = If(c) then_branch={ a = Neg(x)\nreturn a } else_branch={ return x }\nreturn y";
    const condition = (value: number): Tensor => ({ dtype: "bool", shape: [], data: new Uint8Array([value]) });
    expect(run(text, { c: condition(1), x: float32([1], [2]) })).toEqual({ y: [-2] });
    expect(run(text, { c: condition(0), x: float32([1], [2]) })).toEqual({ y: [2] });
  });

  it("rounds quantized values to their codes, half to even, and saturates", () => {
    const text = "input x: float32[4]\ny: int8[4]{scale=0.5, zero=1} = Identity(x)\nz = Identity(y)\nreturn y, z";
    expect(run(text, { x: float32([4], [0.25, 0.75, -1000, 1]) })).toEqual({ y: [1, 3, -128, 3], z: [0, 1, -64.5, 1] });
  });

  it("reads quantized constants as real numbers", () => {
    const text = "input x: float32[2]\nconst w: int4[2]{scale=[0.5, 2], axis=0} = [-8, 7]\ny = Mul(x, w)\nreturn y";
    expect(run(text, { x: float32([2], [1, 1]) })).toEqual({ y: [-4, 14] });
  });

  it("computes half floats in float32 and rounds once a node", () => {
    const text = "input x: float16[1]\ny = Add(x, x)\nz = Cast(y) to=1\nreturn z";
    const x: Tensor = { dtype: "float16", shape: [1], data: encode("float16", [0.1]) };
    expect(run(text, { x })).toEqual({ z: [0.199951171875] });
  });

  it("starts states with their first value", () => {
    expect(run("input h: float32[1]\nstate g -> h = [3]\ng = Neg(h)\nreturn g", {})).toEqual({ g: [-3] });
  });

  it.each([
    [{}, "usage/missing-input"],
    [{ x: float32([2], [1, 2]) }, "usage/wrong-input"],
    [{ x: { dtype: "int8", shape: [1], data: new Int8Array(1) } as Tensor }, "usage/wrong-input"],
  ])("rejects feeds that do not fit: %#", (feeds, code) => {
    expect(() => run("input x: float32[1]\ny = Relu(x)\nreturn y", feeds as Record<string, Tensor>)).toThrow(
      expect.objectContaining({ code }),
    );
  });
});
