import { describe, expect, it } from "vitest";
import { parse } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { outputsOf } from "../harness/operator.ts";

const doubling = (rounds: string, condition: string, test: string): string => `
  const n: int64[] = ${rounds}
  const c: bool[] = ${condition}
  const x: float32[1] = [1]
  const limit: float32[] = 10
  z, s = Loop(n, c, x) body={
    input i: int64[]
    input going: bool[]
    input v: float32[1]
    w = Add(v, v)
    e = ${test}
    return e, w, w
  }
  return z, s`;

describe("Loop", () => {
  it("runs as many rounds as it is told and stacks what each gives", () => {
    expect(outputsOf(doubling("3", "1", "Identity(going)"))).toEqual([[8], [2, 4, 8]]);
  });

  it("ends when the condition fails", () => {
    const test = "Squeeze(less)";
    const text = doubling("9", "1", test).replace("w = Add(v, v)", "w = Add(v, v)\nless = Less(w, limit)");
    expect(outputsOf(text)).toEqual([[16], [2, 4, 8, 16]]);
  });

  it("runs no round where the condition is false or the count 0", () => {
    expect(outputsOf(doubling("3", "0", "Identity(going)"))).toEqual([[1], []]);
    expect(outputsOf(doubling("0", "1", "Identity(going)"))).toEqual([[1], []]);
  });

  it("forgets the dimensions that a round changes, and keeps the rest", () => {
    const text = `
      input n: int64[]
      input x: float32[1,3]
      const one: float32[1,3] = ones
      const zeroth: int64[1] = [0]
      z, s = Loop(n, _, x) body={
        input i: int64[]
        input going: bool[]
        input v
        e = Identity(going)
        w = Concat(v, one) axis=0
        return e, w, w
      }
      return z, s`.replace("input v\n", "input v: float32\n");
    const { types } = inferTypes(parse(text));
    expect(types.get("z")).toEqual({ dtype: "float32", shape: ["?", 3] });
    expect(types.get("s")).toEqual({ dtype: "float32", shape: ["?", "?", 3] });
  });

  it("refuses a body that changes a carried value's type", () => {
    const text = doubling("3", "1", "Identity(going)").replace("w = Add(v, v)", "w = Cast(v) to=7");
    expect(() => inferTypes(parse(text))).toThrow("goes into a round as float32 and comes out as int64");
  });
});

describe("If", () => {
  const either = (other: string): string => `
    input c: bool[]
    input x: float32[2,3]
    y = If(c) then_branch={
      return x
    } else_branch={
      ${other}
      return b
    }
    return y`;

  it("knows what both branches give", () => {
    const shapeOf = (other: string) => inferTypes(parse(either(other))).types.get("y")?.shape;
    expect(shapeOf("b = Relu(x)")).toEqual([2, 3]);
    expect(shapeOf("b = Concat(x, x) axis=1")).toEqual([2, "?"]);
    expect(shapeOf("b = Flatten(x) axis=0")).toEqual(["?", "?"]);
    expect(shapeOf("b = ReduceSum(x) keepdims=0")).toBeUndefined();
  });

  it("refuses branches of different dtypes", () => {
    expect(() => inferTypes(parse(either("b = Cast(x) to=7")))).toThrow(
      "one branch gives tensor of float32, the other tensor of int64",
    );
  });

  it("follows a constant condition", () => {
    const text = either("b = Cast(x) to=7").replace("input c: bool[]", "const c: bool[] = 0");
    expect(inferTypes(parse(text)).types.get("y")).toEqual({ dtype: "int64", shape: [2, 3] });
  });
});

describe("random and training operators", () => {
  const mean = (values: readonly unknown[]): number =>
    values.reduce<number>((sum, value) => sum + Number(value), 0) / values.length;

  it("Dropout passes everything outside training", () => {
    const [y, mask] = outputsOf("const x: float32[3] = [1, 2, 3]\ny, m = Dropout(x)\nreturn y, m");
    expect([y, mask]).toEqual([
      [1, 2, 3],
      [1, 1, 1],
    ]);
  });

  it("Dropout in training drops the stated part and scales the rest", () => {
    const text =
      "const x: float32[4000] = ones\nconst r: float32[] = 0.25\nconst t: bool[] = 1\ny, m = Dropout(x, r, t)\nreturn y, m";
    const [y, mask] = outputsOf(text);
    expect(new Set(y)).toEqual(new Set([0, Math.fround(4 / 3)]));
    expect(mean(mask)).toBeCloseTo(0.75, 1);
    expect(y.every((value, at) => (value === 0) === (mask[at] === 0))).toBe(true);
  });

  it("Bernoulli draws with the stated chance, in the stated dtype", () => {
    const text = "const x: float32[2,2000] = data\ny = Bernoulli(x) dtype=6\nreturn y".replace(
      "data",
      "random(1, 0.3, 0.3001)",
    );
    const [y] = outputsOf(text);
    expect(mean(y)).toBeCloseTo(0.3, 1);
    expect(inferTypes(parse(text)).types.get("y")?.dtype).toBe("int32");
  });
});
