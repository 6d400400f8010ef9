/** The chip's operators on cases that a person can work out: multiplier 2^30 with shift 30 is 1, with 31 a half. */
import { describe, expect, test } from "vitest";
import { parse } from "../../../src/ir/text.ts";
import { inferTypes } from "../../../src/ops/infer.ts";
import { outputsOf } from "../../harness/operator.ts";

/** Elements of `statement`, whose constants are in `constants` (and m, s, h: multiplier 1, its shift, the shift of a half). */
function y(statement: string, ...constants: string[]): (number | bigint | string)[] {
  const lines = [
    "const m: int32[1] = [1073741824]",
    "const s: int32[1] = [30]",
    "const h: int32[1] = [31]",
    ...constants.map((constant) => `const ${constant}`),
    `y = npu.${statement}`,
    "return y",
  ];
  return outputsOf(lines.join("\n"))[0];
}

describe("products", () => {
  const x = "x: int8[1,1,2,3] = [1, 2, 3, 4, 5, 6]";
  test("Conv: padding contributes nothing, whatever the zero point", () => {
    const w = "w: int8[1,1,1,3] = [1, 1, 1]";
    const b = "b: int32[1] = [100]";
    expect(y("Conv(x, w, b, m, s) pads=[0,1,0,1] x_zero=1", x, w, b)).toEqual([101, 103, 103, 107, 112, 109]);
  });

  test("Conv: a multiplier for each channel, groups, the clamp and the zero point", () => {
    const constants = [
      "x: int8[1,2,1] = [10, 20]",
      "w: int8[2,1,1] = [3, -3]",
      "b: int32[2] = [0, 0]",
      "many: int32[2] = [1073741824, 1073741824]",
      "shifts: int32[2] = [30, 31]",
    ];
    const attributes = "group=2 y_zero=-5 y_min=-30 y_max=20";
    expect(y(`Conv(x, w, b, many, shifts) ${attributes}`, ...constants)).toEqual([20, -30]);
  });

  test("Conv: 16 bits and a wide sum", () => {
    const constants = [
      "x: int16[1,2,1] = [32767, -32768]",
      "w: int8[1,2,1] = [127, -127]",
      "b: int32[1] = [3]",
      "wide: int32[1] = [16384]",
      "ws: int32[1] = [22]",
    ];
    // 127·65535 + 3 = 8,322,948; · 2^14 / 2^22 = 32511.5…
    expect(y('Conv(x, w, b, wide, ws) wide=1 y_dtype="int16"', ...constants)).toEqual([32512]);
  });

  test("ConvTranspose: every input spreads over its window", () => {
    const w = "w: int8[1,1,1,3] = [1, 10, 2]";
    const b = "b: int32[1] = [0]";
    const input = "x: int8[1,1,1,2] = [1, 3]";
    expect(y("ConvTranspose(x, w, b, m, s) strides=[1,2]", input, w, b)).toEqual([1, 10, 5, 30, 6]);
    expect(y("ConvTranspose(x, w, b, m, s) strides=[1,2] pads=[0,1,0,0] output_padding=[0,1]", input, w, b)).toEqual([
      10, 5, 30, 6, 0,
    ]);
  });

  test("MatMul: bias along the columns, zero points on both sides", () => {
    const a = "a: int8[2,2] = [1, 2, 3, 4]";
    const b = "b: int8[2,2] = [1, 0, 0, 1]";
    expect(y("MatMul(a, b, bias, m, s)", a, b, "bias: int32[2] = [10, 20]")).toEqual([11, 22, 13, 24]);
    expect(y("MatMul(a, b, _, m, s) a_zero=1 b_zero=1", a, b)).toEqual([-1, 0, -3, -2]);
  });

  test("MatMul: normalised by the sum of its weights", () => {
    const a = "a: uint8[2,2] = [255, 0, 100, 100]";
    const b = "b: int8[2,1] = [-64, 32]";
    const q = "q: int32[1] = [46]";
    // v = 2^16 times the weighted mean: −64 and −16.
    expect(y("MatMul(a, b, _, m, q) normalise=1", a, b, q)).toEqual([-64, -16]);
    expect(y("MatMul(a, b, _, m, q) normalise=1", "a: uint8[1,2] = [0, 0]", b, q)).toEqual([0]);
  });
});

describe("element by element", () => {
  const a = "a: int8[2,2] = [1, 2, 3, -128]";
  const b = "b: int8[2] = [10, -3]";
  test("Add: each side has its factor, and a negative one subtracts", () => {
    expect(y("Add(a, b, m, s) a_multiplier=2 b_multiplier=-1 b_zero=-3", a, b)).toEqual([-11, 4, -7, -128]);
  });
  test("Mul", () => expect(y("Mul(a, b, m, h) a_zero=1", a, b)).toEqual([0, -1, 10, 127]));
  test("Mul: through an activation's table", () => {
    const table = `t: int16[513] = [${Array.from({ length: 513 }, (_, index) => Math.abs(index - 256) * 10)}]`;
    // p = ±640 lies five samples from the middle: 50; p = 64 halfway to the first: 5.
    const factors = ["a: int8[3] = [64, -64, 64]", "b: int8[3] = [10, 10, 1]"];
    expect(y("Mul(a, b, m, s, t, m, s)", table, ...factors)).toEqual([50, 50, 5]);
    expect(() => y("Mul(a, b, m, s, t)", table, ...factors)).toThrow(/exactly when the table is/);
    expect(() => y("Mul(a, b, m, s, _, m, s)", ...factors)).toThrow(/exactly when the table is/);
  });
  test("Conv: a table's samples at each channel's scale", () => {
    const constants = [
      "x: int8[1,1,2] = [64, -64]",
      "w: int8[3,1,1] = [10, 10, -10]",
      "bias: int32[1] = [0]",
      `t: int16[513] = [${Array.from({ length: 513 }, (_, index) => (index - 256) * 20)}]`,
      "tm: int32[3] = [1073741824, 1073741824, 0]",
      "ts: int32[3] = [30, 32, 31]",
    ];
    // Samples ±100: as they are, a quarter, none.
    expect(y("Conv(x, w, bias, m, s, t, tm, ts) y_zero=1", ...constants)).toEqual([101, -99, 26, -24, 1, 1]);
    expect(() => y("Conv(x, w, bias, m, s, t, two, s)", ...constants, "two: int32[2] = [1, 1]")).toThrow(/1 or 3/);
  });
  test("Max and Min", () => {
    expect(y("Max(a, b)", a, b)).toEqual([10, 2, 10, -3]);
    expect(y("Min(a, b)", a, b)).toEqual([1, -3, 3, -128]);
  });
  test("Rescale: halves go up in one rounding", () => {
    expect(y("Rescale(a, m, h) x_zero=2 y_zero=7", a)).toEqual([7, 7, 8, -58]);
    expect(y('Rescale(a, f, s) round="ort-f32-rne"', "a: int8[3] = [1, 3, 5]", "f: float32[1] = [0.5]")).toEqual([
      0, 2, 2,
    ]);
  });
  test("Table: an entry a code, or interpolated", () => {
    const square = `t: int16[256] = [${Array.from({ length: 256 }, (_, index) => (index - 128) ** 2)}]`;
    expect(y("Table(a, t)", a, square)).toEqual([1, 4, 9, 16384]);
    const line = `t: int16[513] = [${Array.from({ length: 513 }, (_, index) => 2 * (index - 256))}]`;
    expect(y("Table(x, t)", "x: int16[4] = [-32768, 0, 64, 32767]", line)).toEqual([-512, 0, 1, 512]);
  });
  test("Cast saturates", () => {
    expect(y('Cast(x) to="int8"', "x: int16[3] = [-500, 5, 500]")).toEqual([-128, 5, 127]);
  });
});

describe("windows and reductions", () => {
  const x = "x: int8[1,1,4] = [-100, -2, -3, -120]";
  test("MaxPool: padding never wins", () => {
    expect(y("MaxPool(x) kernel_shape=[2] strides=[2] pads=[1,1]", x)).toEqual([-100, -2, -120]);
  });
  test("AveragePool: the multiplier of as many cells as there are", () => {
    const many = "many: int32[2] = [1073741824, 1073741824]";
    const shifts = "shifts: int32[2] = [30, 31]";
    const pool = "kernel_shape=[2] strides=[2] pads=[1,1]";
    expect(y(`AveragePool(x, many, shifts) ${pool}`, x, many, shifts)).toEqual([-100, -2, -120]);
    expect(y(`AveragePool(x, many, shifts) ${pool} count_include_pad=1`, x, many, shifts)).toEqual([-50, -2, -60]);
  });
  test("ReduceSum, ReduceMax, ReduceMin", () => {
    const z = "z: int8[2,3] = [1, 2, 3, -4, -5, -6]";
    expect(y("ReduceSum(z, m, s) axes=[1] x_zero=1", z)).toEqual([3, -18]);
    expect(y("ReduceMax(z) axes=[0] keepdims=0", z)).toEqual([1, 2, 3]);
    expect(y("ReduceMin(z)", z)).toEqual([-6]);
  });
});

describe("ReduceMargin", () => {
  test("the largest less the second; two largest are no margin", () => {
    const z = "z: int8[4,3] = [1, 9, 4, 7, 7, 7, -128, 127, -128, 5, 2, 5]";
    expect(y("ReduceMargin(z) axes=[1]", z)).toEqual([5, 0, 255, 0]);
    expect(y("ReduceMargin(z) axes=[0] keepdims=0", z)).toEqual([2, 118, 2]);
  });
  test("what 16 bits cannot hold is the most that they can", () => {
    expect(y("ReduceMargin(z) axes=[0]", "z: int16[2] = [32767, -32768]")).toEqual([32767]);
  });
  test("with ctc, rows whose answer is not the first class lie 32768 lower; of equals the first is the answer", () => {
    const z = "z: int16[3,3] = [9, 4, 1, 3, 8, 1, 6, 6, 2]";
    expect(y("ReduceMargin(z) axes=[-1] keepdims=0 ctc=1", z)).toEqual([5, 5 - 32768, 0]);
  });
  test("refuses one class, and several axes", () => {
    expect(() => y("ReduceMargin(z) axes=[0]", "z: int8[1,2] = [1, 2]")).toThrow(/two classes or more/);
    expect(() => y("ReduceMargin(z)", "z: int8[2,2] = [1, 2, 3, 4]")).toThrow(/one axis/);
  });
});

describe("ReduceL2", () => {
  // v has 10 fractional bits: half of 2^15 takes them and 5 more away again.
  const wide = ["k: int32[1] = [16384]", "ks: int32[1] = [24]"];
  test("a length, rounded by the post stage", () => {
    const z = "z: int8[3,2] = [3, 4, 1, 1, -128, 127]";
    expect(y('ReduceL2(z, k, ks) axes=[1] y_dtype="int16" wide=1', z, ...wide)).toEqual([5, 1, 180]);
    expect(y("ReduceL2(z, k, ks) axes=[1] x_zero=1 keepdims=0 y_zero=-8 wide=1", z, ...wide)).toEqual([-4, -8, 127]);
  });
  test("the root is cut, not rounded: ⌊1024·√2⌋ is 1448", () => {
    const one = ["k: int32[1] = [4]", "ks: int32[1] = [2]"];
    const z = "z: int16[2,2] = [1, 1, 0, 0]";
    expect(y('ReduceL2(z, k, ks) axes=[-1] y_dtype="int16" wide=1', z, ...one)).toEqual([1448, 0]);
  });
  test("the largest codes that fit", () => {
    const last = ["k: int32[1] = [16384]", "ks: int32[1] = [25]"];
    // √3·32768 / 2 = 28377.9
    const z = "z: int16[1,3] = [-32768, -32768, -32768]";
    expect(y('ReduceL2(z, k, ks) axes=[1] y_dtype="int16" wide=1', z, ...last)).toEqual([28378]);
  });
  test("refuses more than 32 bits of squares", () => {
    const z = "z: int16[4] = [1, 2, 3, 4]";
    expect(() => y("ReduceL2(z, k, ks) wide=1", z, ...wide)).toThrow(/squares of 4 int16 codes/);
  });
});

describe("norms", () => {
  const halving = `t: int32[256] = [${Array.from({ length: 256 }, (_, d) => Math.floor(2 ** 15 / 2 ** d))}]`;
  test("Softmax: weights, and quotients in 8 and 16 bits", () => {
    const x = "x: int8[1,3] = [5, 4, 3]";
    expect(y("Softmax(x, t) axis=1 normalised=0", x, halving)).toEqual([255, 128, 64]);
    // 4/7, 2/7, 1/7 of 256 are 146.3, 73.1, 36.6.
    expect(y("Softmax(x, t) axis=1", x, halving)).toEqual([146 - 128, 73 - 128, 37 - 128]);
    expect(y('Softmax(x, t) axis=1 y_dtype="int16"', x, halving)).toEqual([18725, 9362, 4681]);
  });
  test("Softmax: a weight that is all there is saturates", () => {
    expect(y("Softmax(x, t) axis=0", "x: int8[2,1] = [127, -128]", halving)).toEqual([127, -128]);
  });
  test("Softmax: 16 bits by two tables", () => {
    const table = `t: int32[512] = [${Array.from({ length: 512 }, (_, at) => (at % 256 === 0 ? 32768 : 16384))}]`;
    expect(y("Softmax(x, t) axis=0 normalised=0", "x: int16[3] = [300, 299, 43]", table)).toEqual([255, 128, 64]);
  });
  test("LayerNorm and RMSNorm", () => {
    const constants = [
      "g: int16[2] = [1, 1]",
      "b: int32[2] = [0, 4096]",
      "k: int32[1] = [16384]",
      "ks: int32[1] = [20]",
    ];
    // ±1 in 12 bits, less 6 bits: ±64; the second element is shifted by as much.
    const pairs = "x: int8[2,2] = [60, -60, -7, 113]";
    expect(y("LayerNorm(x, g, b, k, ks) axis=1", pairs, ...constants)).toEqual([64, 0, -64, 127]);
    // n·u / √(n·Σu² + 1) is 6/√21 and 2/√21.
    expect(y("LayerNorm(x, g, b, k, ks) axis=1 center=0", "x: int8[1,2] = [3, 1]", ...constants)).toEqual([84, 92]);
  });
});

describe("moves", () => {
  const x = "x: int8[2,3] = [1, 2, 3, 4, 5, 6]";
  test.each([
    ["Reshape(x) shape=[3,2]", [1, 2, 3, 4, 5, 6]],
    ["Transpose(x) perm=[1,0]", [1, 4, 2, 5, 3, 6]],
    ["Slice(x) starts=[2] ends=[-1] axes=[1] steps=[-2]", [3, 1, 6, 4]],
    ["Concat(x, x) axis=1", [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6]],
    ["Pad(x) pads=[0,1,0,0] value=-9", [-9, 1, 2, 3, -9, 4, 5, 6]],
    ['Pad(x) pads=[0,2,0,1] mode="reflect"', [3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5]],
    ['Pad(x) pads=[0,1,0,1] mode="edge"', [1, 1, 2, 3, 3, 4, 4, 5, 6, 6]],
    ["Expand(x) shape=[2,1,1]", [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6]],
    ["Gather(x, i) axis=1", [3, 1, 1, 3, 6, 4, 4, 6]],
  ])("%s", (statement, expected) => {
    expect(y(statement, x, "i: int64[2,2] = [-1, 0, -99, 99]")).toEqual(expected);
  });

  test.each([
    ["linear", "[1, 9]", [1, 7, 8, 4, 9, 10]],
    ["linear", "[-3, 1]", [7, 8, 3, 4, 9, 10]],
    ["circular", "[2, 4]", [8, 2, 7, 4, 9, 10]],
    ["circular", "[-1, 0]", [8, 2, 7, 9, 10, 6]],
  ])("TensorScatter %s at %s", (mode, at, expected) => {
    const update = "u: int8[2,2] = [7, 8, 9, 10]";
    expect(y(`TensorScatter(x, u, i) axis=1 mode="${mode}"`, x, update, `i: int32[2] = ${at}`)).toEqual(expected);
  });
});

describe("weights of 4 bits are codes times the multiplier of their block", () => {
  test.each([
    ["axis=0 block=2", "f: uint8[2,2] = [1, 3, 2, 5]", [-8, 7, 3, 6, -6, 10]],
    ["axis=0 block=3", "f: uint8[2,1] = [17, 127]", [-127, 119, 17, 127, -127, 127]],
    ["axis=1 block=1", "f: uint8[3,2] = [1, 2, 3, 4, 5, 6]", [-8, 21, 5, 6, -12, 12]],
    ["axis=1 block=2", "f: uint8[3,1] = [2, 1, 1]", [-16, 7, 1, 6, -3, 2]],
  ])("%s", (attributes, factors, expected) => {
    const w = "w: int4[2,3] = [-8, 7, 1, 3, -3, 2]";
    expect(y(`UnpackWeights(w, f) ${attributes}`, w, factors)).toEqual(expected);
  });
  test("without multipliers the codes are the weights", () => {
    expect(y("UnpackWeights(w)", "w: int4[3] = [-8, 7, 0]")).toEqual([-8, 7, 0]);
  });
});

describe("codes of 4 bits that are packed at run time", () => {
  test("PackNibbles: the earlier code in the low half, clamped", () => {
    expect(y("PackNibbles(x)", "x: int8[2,4] = [1, -1, -8, 7, 100, -100, 0, 8]")).toEqual([0xf1, 0x78, 0x87, 0x70]);
  });
  test("UnpackNibbles: each half with its sign", () => {
    expect(y("UnpackNibbles(x)", "x: uint8[2,2] = [241, 120, 135, 112]")).toEqual([1, -1, -8, 7, 7, -8, 0, 7]);
  });
});

describe("what does not fit is refused", () => {
  test.each([
    ["Conv(x, w, b, m, s)", "x: int8[1,2,4] = [0,0,0,0,0,0,0,0]", "w: int8[1,3,1] = [0,0,0]", /do not go together/],
    ["MatMul(x, w, _, m, s)", "x: int8[2] = [0, 0]", "w: int8[3] = [0, 0, 0]", /no matrix product/],
    ["Add(x, w, m, s)", "x: int8[2] = [0, 0]", "w: int8[3] = [0, 0, 0]", /do not broadcast/],
    ["Table(x, w)", "x: int8[1] = [0]", "w: int8[3] = [0, 0, 0]", /3 entries; 256/],
    ["Reshape(x) shape=[3]", "x: int8[2] = [0, 0]", "w: int8[1] = [0]", /cannot be seen as/],
    ["Slice(x) starts=[2] ends=[3] axes=[0]", "x: int8[2] = [0, 0]", "w: int8[1] = [0]", /leaves axis 0/],
    ['Cast(x) to="float32"', "x: int8[2] = [0, 0]", "w: int8[1] = [0]", /is not one of/],
    ["Concat(x, w) axis=1", "x: int8[1,2] = [0, 0]", "w: int8[2,1] = [0, 0]", /does not go beside/],
    ["UnpackWeights(x)", "x: int8[2] = [0, 0]", "w: int8[1] = [0]", /is int8; npu.UnpackWeights takes int4/],
    [
      "UnpackWeights(x, w) axis=0 block=2",
      "x: int4[2,3] = [0, 0, 0, 0, 0, 0]",
      "w: uint8[2,1] = [1, 1]",
      /\[2,1\] are not \[2,2\]/,
    ],
    ["UnpackWeights(x, w) axis=1 block=2", "x: int4[2] = [0, 0]", "w: uint8[2,1] = [1, 1]", /no axis 1/],
    ["UnpackWeights(x, w) axis=0", "x: int4[2] = [0, 0]", "w: uint8[2,1] = [1, 1]", /blocks of 0 elements/],
    ["PackNibbles(x)", "x: int8[3] = [0, 0, 0]", "w: int8[1] = [0]", /rows of 3 codes are no whole bytes/],
    ["UnpackNibbles(x)", "x: int8[2] = [0, 0]", "w: int8[1] = [0]", /takes uint8/],
    ["Rescale(x, m, s)", "x: float32[1] = [0]", "w: int8[1] = [0]", /is float32/],
  ])("%s", (statement, x, w, message) => {
    const constants = ["m: int32[1] = [0]", "s: int32[1] = [30]", "b: int32[1] = [0]", x, w];
    const text = [...constants.map((constant) => `const ${constant}`), `y = npu.${statement}`, "return y"].join("\n");
    expect(() => inferTypes(parse(text))).toThrow(message);
  });
});

test("multiply-accumulates are counted", async () => {
  const { findOp } = await import("../../../src/ops/find.ts");
  const { nodes } = parse("input x: int8[1,4,8,8]\ny = npu.Conv(x) group=2\nreturn y");
  const type = (dtype: "int8", ...shape: number[]) => ({ dtype, shape });
  const types = [type("int8", 1, 4, 8, 8), type("int8", 6, 2, 3, 3)];
  expect(findOp("npu", "Conv")?.macs?.(nodes[0], types, [])).toBe(6 * 6 * 6 * 2 * 9);
  const product = [type("int8", 5, 7, 3), type("int8", 3, 4)];
  expect(findOp("npu", "MatMul")?.macs?.({ ...nodes[0], op: "MatMul" }, product, [])).toBe(5 * 7 * 3 * 4);
});
