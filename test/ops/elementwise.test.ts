import { describe, expect, it } from "vitest";
import { CompileError } from "../../src/error.ts";
import { parse } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { expectOperator } from "../harness/operator.ts";

const X = "x: float32[5] = [-2, -0.5, 0, 0.5, 2]";
const list = (compute: (x: number) => number): number[] => [-2, -0.5, 0, 0.5, 2].map(compute);

describe("one input", () => {
  it.each<[statement: string, expected: number[]]>([
    ["Abs(x)", [2, 0.5, 0, 0.5, 2]],
    ["Asinh(x)", list((x) => Math.sign(x) * Math.log(Math.abs(x) + Math.sqrt(x * x + 1)))],
    ["Atan(x)", [-1.1071487, -0.4636476, 0, 0.4636476, 1.1071487]],
    ["Ceil(x)", [-2, -0, 0, 1, 2]],
    ["Celu(x) alpha=2.0", [2 * Math.expm1(-1), 2 * Math.expm1(-0.25), 0, 0.5, 2]],
    ["Cos(x)", [-0.4161468, 0.8775826, 1, 0.8775826, -0.4161468]],
    ["Cosh(x)", list((x) => (Math.exp(x) + Math.exp(-x)) / 2)],
    ["Elu(x) alpha=0.5", [0.5 * (Math.exp(-2) - 1), 0.5 * (Math.exp(-0.5) - 1), 0, 0.5, 2]],
    ["Erf(x)", [-0.9953223, -0.5204999, 0, 0.5204999, 0.9953223]],
    ["Exp(x)", [0.1353353, 0.6065307, 1, 1.6487213, 7.3890561]],
    ["Floor(x)", [-2, -1, 0, 0, 2]],
    ["Gelu(x)", [-0.0455003, -0.1542688, 0, 0.3457312, 1.9544997]],
    ["HardSigmoid(x) alpha=0.5 beta=0.6", [0, 0.35, 0.6, 0.85, 1]],
    ["HardSwish(x)", [-1 / 3, -0.5 * (0.5 - 1 / 12), 0, 0.5 * (0.5 + 1 / 12), 5 / 3]],
    ["Identity(x)", [-2, -0.5, 0, 0.5, 2]],
    ["LeakyRelu(x) alpha=0.1", [-0.2, -0.05, 0, 0.5, 2]],
  ])("%s", (statement, expected) => {
    expectOperator(statement, [X], expected);
  });

  it.each<[statement: string, input: string, expected: (number | bigint)[]]>([
    ["Acos(x)", "x: float32[3] = [-1, 0, 1]", [Math.PI, Math.PI / 2, 0]],
    ["Acosh(x)", "x: float32[2] = [1, 2]", [0, 1.3169579]],
    ["Asin(x)", "x: float32[3] = [-1, 0, 1]", [-Math.PI / 2, 0, Math.PI / 2]],
    ["Atanh(x)", "x: float32[2] = [0, 0.5]", [0, 0.5493061]],
    ["Log(x)", "x: float32[3] = [1, 2, 0]", [0, Math.LN2, Number.NEGATIVE_INFINITY]],
    ["Abs(x)", "x: int8[3] = [-128, -1, 5]", [-128, 1, 5]],
    ["Abs(x)", "x: int64[2] = [-9007199254740993, 3]", [9007199254740993n, 3n]],
    ["BitwiseNot(x)", "x: uint8[2] = [0, 5]", [255, 250]],
    ["BitwiseNot(x)", "x: uint64[1] = [0]", [18446744073709551615n]],
    ["IsNaN(x)", "x: float32[2] = [nan, 1]", [1, 0]],
    ["IsInf(x)", "x: float32[3] = [inf, -inf, 1]", [1, 1, 0]],
    ["IsInf(x) detect_positive=0", "x: float32[3] = [inf, -inf, 1]", [0, 1, 0]],
  ])("%s of %s", (statement, input, expected) => {
    expectOperator(statement, [input], expected);
  });

  it("clips to the bounds that are there", () => {
    const bounds = ["a: float32[] = -1", "b: float32[] = 1"];
    expectOperator("Clip(x, a, b)", [X, ...bounds], [-1, -0.5, 0, 0.5, 1]);
    expectOperator("Clip(x, _, b)", [X, bounds[1]], [-2, -0.5, 0, 0.5, 1]);
    expectOperator("Clip(x, b, a)", [X, ...bounds], [-1, -1, -1, -1, -1]);
  });
});

describe("two inputs", () => {
  it.each<[statement: string, a: string, b: string, expected: (number | bigint)[]]>([
    ["Add(a, b)", "float32[2,1] = [1, 2]", "float32[3] = [10, 20, 30]", [11, 21, 31, 12, 22, 32]],
    ["Add(a, b)", "int8[2] = [127, -128]", "int8[2] = [1, -1]", [-128, 127]],
    ["Add(a, b)", "int64[1] = [9223372036854775807]", "int64[1] = [1]", [-9223372036854775808n]],
    ["Div(a, b)", "float32[2] = [1, -3]", "float32[] = 2", [0.5, -1.5]],
    ["Div(a, b)", "int32[3] = [7, -7, 1]", "int32[3] = [2, 2, 0]", [3, -3, 0]],
    ["And(a, b)", "bool[4] = [0, 0, 1, 1]", "bool[4] = [0, 1, 0, 1]", [0, 0, 0, 1]],
    ["BitwiseAnd(a, b)", "uint8[1] = [12]", "uint8[1] = [10]", [8]],
    ["BitwiseOr(a, b)", "uint8[1] = [12]", "uint8[1] = [10]", [14]],
    ["BitwiseXor(a, b)", "int64[1] = [12]", "int64[1] = [-1]", [-13n]],
    ['BitShift(a, b) direction="LEFT"', "uint8[2] = [200, 1]", "uint8[2] = [1, 9]", [144, 0]],
    ['BitShift(a, b) direction="RIGHT"', "uint64[2] = [18446744073709551615, 8]", "uint64[2] = [63, 64]", [1n, 0n]],
    ["Equal(a, b)", "int64[2] = [9007199254740993, 2]", "int64[2] = [9007199254740992, 2]", [0, 1]],
    ["Greater(a, b)", "float32[3] = [1, 2, nan]", "float32[1] = [1]", [0, 1, 0]],
    ["GreaterOrEqual(a, b)", "uint64[2] = [18446744073709551615, 0]", "uint64[1] = [1]", [1, 0]],
    ["Less(a, b)", "int8[3] = [-1, 0, 1]", "int8[] = 0", [1, 0, 0]],
    ["LessOrEqual(a, b)", "int8[3] = [-1, 0, 1]", "int8[] = 0", [1, 1, 0]],
  ])("%s of %s and %s", (statement, a, b, expected) => {
    expectOperator(statement, [`a: ${a}`, `b: ${b}`], expected);
  });

  it("compares strings", () => {
    expectOperator("Equal(a, b)", ['a: string[2] = ["x", "y"]', 'b: string[1] = ["y"]'], [0, 1]);
  });
});

describe("types", () => {
  const shapeOf = (a: string, b: string) =>
    inferTypes(parse(`input a: float32[${a}]\ninput b: float32[${b}]\ny = Add(a, b)\nreturn y`)).types.get("y")?.shape;

  it.each([
    ["N,1", "4", ["N", 4]],
    ["N", "N", ["N"]],
    ["N", "4", [4]],
    ["N", "M", ["?"]],
    ["2,?", "1", [2, "?"]],
  ])("[%s] and [%s] broadcast", (a, b, expected) => {
    expect(shapeOf(a, b)).toEqual(expected);
  });

  it.each([
    [
      "shapes that do not broadcast",
      "input a: float32[2]\ninput b: float32[3]\ny = Add(a, b)  # origin: sum\nreturn y",
      "model/shape-mismatch",
      "the shapes [2] and [3] do not broadcast",
    ],
    [
      "two dtypes",
      "input a: float32[2]\ninput b: int8[2]\ny = Add(a, b)  # origin: sum\nreturn y",
      "model/invalid-node",
      'input 0 "a" is float32 but input 1 "b" is int8',
    ],
    [
      "a dtype that the operator does not take",
      "input a: int8[2]\ny = Exp(a)  # origin: sum\nreturn y",
      "model/invalid-node",
      'input 0 "a" is int8; Exp takes float32, float64, float16, bfloat16',
    ],
    ["a missing input", "input a: int8[2]\ny = Add(a)  # origin: sum\nreturn y", "model/invalid-node", ""],
  ])("refuses %s", (_, text, code, message) => {
    let thrown: unknown;
    try {
      inferTypes(parse(text));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CompileError);
    const error = thrown as CompileError;
    expect(error.code).toBe(code);
    expect(error.where).toMatch(/^node sum \(/);
    if (message !== "") expect(error.message).toBe(message);
  });
});
