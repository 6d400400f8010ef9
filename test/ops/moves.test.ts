import { describe, expect, it } from "vitest";
import { parse } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { expectOperator, outputsOf } from "../harness/operator.ts";

const GRID = "x: float32[2,3] = [1, 2, 3, 4, 5, 6]";

describe("operators that move numbers", () => {
  it.each<[statement: string, inputs: string[], expected: (number | bigint | string)[]]>([
    ["Concat(x, x) axis=1", [GRID], [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]],
    ["Concat(a, b) axis=0", ['a: string[1] = ["p"]', 'b: string[2] = ["q", "r"]'], ["p", "q", "r"]],
    ["Concat(a, a) axis=0", ["a: int4[3] = [-8, 7, 1]"], [-8, 7, 1, -8, 7, 1]],
    ["Expand(x, s)", ["x: int64[2,1] = [1, 2]", "s: int64[2] = [1, 2]"], [1n, 1n, 2n, 2n]],
    ["Flatten(x) axis=0", [GRID], [1, 2, 3, 4, 5, 6]],
    ["Gather(x, i) axis=1", [GRID, "i: int64[2] = [-1, 0]"], [3, 1, 6, 4]],
    ["Gather(x, i)", ["x: int4[3] = [-8, 7, 1]", "i: int32[2] = [2, 0]"], [1, -8]],
    ["GatherElements(x, i) axis=1", [GRID, "i: int64[2,1] = [2, -3]"], [3, 4]],
    ["GatherND(x, i)", [GRID, "i: int64[2,2] = [0, 1, 1, -1]"], [2, 6]],
    ["GatherND(x, i) batch_dims=1", [GRID, "i: int64[2,1] = [1, 0]"], [2, 4]],
    ["Compress(x, c) axis=1", [GRID, "c: bool[2] = [0, 1]"], [2, 5]],
    ["Compress(x, c)", [GRID, "c: bool[4] = [1, 0, 0, 1]"], [1, 4]],
    ["CenterCropPad(x, s)", [GRID, "s: int64[2] = [4, 1]"], [0, 2, 5, 0]],
    ["DepthToSpace(x) blocksize=2", ["x: float32[1,4,1,2] = [0, 1, 2, 3, 4, 5, 6, 7]"], [0, 2, 1, 3, 4, 6, 5, 7]],
    ["Constant() value_ints=[3,4]", [], [3n, 4n]],
    ["Constant() value_float=0.5", [], [0.5]],
    ['Constant() value_strings=["a"]', [], ["a"]],
    ["ConstantOfShape(s) value=tensor(int8[1] = [7])", ["s: int64[2] = [2, 1]"], [7, 7]],
    ["ConstantOfShape(s)", ["s: int64[1] = [2]"], [0, 0]],
    ["EyeLike(x) k=1 dtype=7", [GRID], [0n, 1n, 0n, 0n, 0n, 1n]],
  ])("%s", (statement, inputs, expected) => {
    expectOperator(statement, inputs, expected);
  });

  it("ConcatFromSequence joins or stacks", () => {
    const sequence = "const x: float32[2] = [1, 2]\ns = SequenceConstruct(x, x)\n";
    expect(outputsOf(`${sequence}y = ConcatFromSequence(s) axis=0\nreturn y`)).toEqual([[1, 2, 1, 2]]);
    expect(outputsOf(`${sequence}y = ConcatFromSequence(s) axis=1 new_axis=1\nreturn y`)).toEqual([[1, 1, 2, 2]]);
  });

  it.each([
    [
      "an index beyond the axis",
      "const i: int64[1] = [3]\ny = Gather(x, i) axis=1",
      "index 3 is outside axis 1 of size 3",
    ],
    ["an axis beyond the rank", "const i: int64[1] = [0]\ny = Gather(x, i) axis=2", "axis 2 does not fit rank 2"],
    [
      "a tuple longer than the rank",
      "const i: int64[1,3] = [0, 0, 0]\ny = GatherND(x, i)",
      "tuples of 3 after 0 batch axes do not fit data of rank 2",
    ],
    [
      "parts that differ",
      "const i: float32[1,2] = [0, 0]\ny = Concat(x, i) axis=0",
      "the inputs differ along axis 1: 3 against 2",
    ],
  ])("refuses %s", (_, rest, message) => {
    expect(() => outputsOf(`const ${GRID}\n${rest}\nreturn y`)).toThrow(message);
  });

  it.each([
    ["Concat(x, y) axis=0", ["?", "N"]],
    ["Concat(x, x0) axis=0", ["B", "N"]],
    ["Concat(x, x) axis=1", ["B", "?"]],
    ["Flatten(x) axis=0", [1, "?"]],
    ["Flatten(x)", ["B", "N"]],
    ["Gather(x, i) axis=1", ["B", 2]],
    ["Expand(x, s)", ["B", 4]],
  ])("%s of symbolic shapes", (statement, expected) => {
    const text = `input x: float32[B,N]\ninput y: float32[C,N]\ninput x0: float32[0,N]\nconst i: int64[2] = [0, 0]\nconst s: int64[2] = [1, 4]\nz = ${statement}\nreturn z`;
    expect(inferTypes(parse(text)).types.get("z")?.shape).toEqual(expected);
  });
});

describe("Cast", () => {
  it.each<[to: number, input: string, expected: (number | bigint | string)[]]>([
    [3, "float32[3] = [1.9, -1.9, 300]", [1, -1, 44]],
    [7, "float64[2] = [-3.5, 1e15]", [-3n, 10n ** 15n]],
    [6, "int64[2] = [4294967297, -1]", [1, -1]],
    [9, "float32[3] = [0, -0.1, nan]", [0, 1, 1]],
    [10, "float32[2] = [65520, 0.1]", [Number.POSITIVE_INFINITY, 0.0999755859375]],
    [17, "float32[3] = [1000, 0.0702, -17]", [448, 0.0703125, -16]],
    [22, "int32[3] = [7, -8, 9]", [7, -8, -7]],
    [21, "float32[2] = [3.7, 15]", [3, 15]],
    [8, "float32[4] = [0.1, 1, nan, -inf]", ["0.1", "1", "NaN", "-INF"]],
    [1, 'string[3] = ["0.5", "-INF", "1e3"]', [0.5, Number.NEGATIVE_INFINITY, 1000]],
    [7, 'string[1] = ["9007199254740993"]', [9007199254740993n]],
  ])("to %d of %s", (to, input, expected) => {
    expectOperator(`Cast(x) to=${to}`, [`x: ${input}`], expected);
  });

  it("CastLike takes the dtype of its second input", () => {
    expectOperator("CastLike(x, k)", ["x: float32[1] = [2.5]", "k: int64[1] = [0]"], [2n]);
  });

  it("refuses text that is no number and unknown types", () => {
    expect(() => outputsOf('const x: string[1] = ["wide"]\ny = Cast(x) to=1\nreturn y')).toThrow(
      '"wide" is not a number',
    );
    expect(() => outputsOf("const x: float32[1] = [1]\ny = Cast(x) to=99\nreturn y")).toThrow(
      "to = 99 is no data type",
    );
  });
});
