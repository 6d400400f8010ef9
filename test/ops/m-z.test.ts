import { describe, expect, it } from "vitest";
import type { RuntimeValue, Tensor } from "../../src/ir/graph.ts";
import { parse } from "../../src/ir/text.ts";
import { inferTypes } from "../../src/ops/infer.ts";
import { elementsOf } from "../../src/ops/shared/values.ts";
import { interpret } from "../../src/run/interpret.ts";

/** Outputs as plain numbers or strings; sequences as lists of them. */
function run(text: string, seed = 0): Record<string, unknown> {
  const plain = (value: RuntimeValue): unknown => {
    if (value === undefined) return undefined;
    if (Array.isArray(value)) return value.map(plain);
    const tensor = value as Tensor;
    return Array.from<unknown>(elementsOf(tensor));
  };
  const outputs = interpret(parse(text), new Map(), { seed });
  return Object.fromEntries([...outputs].map(([name, value]) => [name, plain(value)]));
}

/** The type of `y` as text. */
function typeOfY(text: string): string | undefined {
  const type = inferTypes(parse(text)).types.get("y");
  return type && `${type.dtype}[${type.shape ?? "unknown"}]`;
}

describe("random operators", () => {
  const SHAPED = ["RandomNormal() shape=[2000]", "RandomUniform() shape=[2000]"];
  const LIKE = ["RandomNormalLike(x)", "RandomUniformLike(x)"];

  it.each([...SHAPED, ...LIKE])("%s follows its seed", (call) => {
    const text = `const x: float32[2000] = zeros\ny = ${call}\nreturn y`;
    expect(run(text, 1)).toEqual(run(text, 1));
    expect(run(text, 1)).not.toEqual(run(text, 2));
  });

  it.each([
    ["RandomNormal() shape=[20000] mean=3.0 scale=2.0", 3, 2],
    ["RandomUniform() shape=[20000] low=-1.0 high=5.0", 2, 6 / Math.sqrt(12)],
  ])("%s has its mean and deviation", (call, mean, deviation) => {
    const y = run(`y = ${call}\nreturn y`).y as number[];
    const average = y.reduce((sum, value) => sum + value, 0) / y.length;
    const spread = Math.sqrt(y.reduce((sum, value) => sum + (value - average) ** 2, 0) / y.length);
    expect(average).toBeCloseTo(mean, 1);
    expect(spread).toBeCloseTo(deviation, 1);
  });

  it("Multinomial draws classes as often as their probability says", () => {
    const y = run("const x: float32[1,3] = [0, 1.0986123, -1000]\ny = Multinomial(x) sample_size=8000\nreturn y")
      .y as number[];
    const shares = [0, 1, 2].map((label) => y.filter((drawn) => drawn === label).length / y.length);
    expect(shares[0]).toBeCloseTo(0.25, 1);
    expect(shares[1]).toBeCloseTo(0.75, 1);
    expect(shares[2]).toBe(0);
  });

  it("float16 is rounded to half", () => {
    expect(typeOfY("y = RandomNormal() shape=[3] dtype=10\nreturn y")).toBe("float16[3]");
    expect(typeOfY("input x: float16[N]\ny = RandomUniformLike(x)\nreturn y")).toBe("float16[N]");
  });
});

describe("containers", () => {
  it.each([
    [
      "Optional holds its input",
      "const x: float32[1] = [2]\no = Optional(x)\ny = OptionalGetElement(o)\nh = OptionalHasElement(o)\nreturn y, h",
      { y: [2], h: [1] },
    ],
    ["OptionalHasElement of a tensor", "const x: float32[1] = [2]\nh = OptionalHasElement(x)\nreturn h", { h: [1] }],
    ["OptionalHasElement of nothing", "h = OptionalHasElement()\nreturn h", { h: [0] }],
    [
      "SequenceMap",
      "const a: float32[1] = [1]\nconst b: float32[1] = [2]\ns = SequenceConstruct(a, b)\nt = SequenceMap(s, b) body={\n  input e: float32[1]\n  input f: float32[1]\n  g = Sub(e, f)\n  return g\n}\nreturn t",
      { t: [[-1], [0]] },
    ],
    [
      "SequenceErase takes the last",
      "const a: float32[1] = [1]\ns = SequenceConstruct(a, a, a)\nt = SequenceErase(s)\nreturn t",
      { t: [[1], [1]] },
    ],
  ])("%s", (_, text, expected) => {
    expect(run(text)).toEqual(expected);
  });

  it("an empty Optional takes its type from the attribute", () => {
    // AttributeProto { tp: TypeProto { tensor_type { elem_type: 7 } } }
    const bytes = Buffer.from([0x72, 0x04, 0x0a, 0x02, 0x08, 0x07]).toString("base64");
    const graph = inferTypes(parse(`o = Optional() type=raw("${bytes}")\nreturn o`));
    expect(graph.types.get("o")).toEqual({ dtype: "int64", container: "optional" });
  });
});

describe("text", () => {
  it.each([
    ["nothing left is one empty string", 'StringNormalizer(x) stopwords=["AB","c"]', [""]],
    ["case is ignored unless asked", 'StringNormalizer(x) stopwords=["ab"] case_change_action="LOWER"', ["c"]],
    [
      "stopwords as they stand",
      'StringNormalizer(x) stopwords=["AB"] is_case_sensitive=1 case_change_action="UPPER"',
      ["AB", "C"],
    ],
  ])("%s", (_, call, expected) => {
    expect(run(`const x: string[2] = ["ab", "C"]\ny = ${call}\nreturn y`).y).toEqual(expected);
  });
});

describe("integers", () => {
  it.each([
    [
      "Max beyond 2^53",
      "const x: int64[1] = [9007199254740993]\nconst z: int64[1] = [9007199254740992]\ny = Max(x, z)",
      [9007199254740993n],
    ],
    ["Pow wraps", "const x: int32[1] = [3]\nconst z: int32[1] = [21]\ny = Pow(x, z)", [(3 ** 21) | 0]],
    ["ReduceMax of nothing", "const x: int8[0]\nconst a: int64[1] = [0]\ny = ReduceMax(x, a)", [-128]],
    ["ReduceMean of int64", "const x: int64[2] = [-3, 0]\ny = ReduceMean(x)", [-1n]],
    ["Mod by zero", "const x: int32[1] = [3]\nconst z: int32[1] = [0]\ny = Mod(x, z)", [0]],
    [
      "QuantizeLinear of int32",
      "const x: int32[2] = [100, -900]\nconst s: float32[] = 3\ny = QuantizeLinear(x, s) output_dtype=3",
      [33, -128],
    ],
    [
      "Transpose of int4",
      "const x: int4[2,3] = [1, -2, 3, -4, 5, -6]\nt = Transpose(x)\ny = Cast(t) to=3",
      [1, -4, -2, 5, 3, -6],
    ],
  ])("%s", (_, text, expected) => {
    expect(run(`${text.replace("int8[0]", "int8[0] = []")}\nreturn y`).y).toEqual(expected);
  });
});

describe("types with symbols", () => {
  it.each([
    ["Reshape cancels a symbol", "const s: int64[3] = [0, -1, 8]\ny = Reshape(x, s)", "float32[N,12,8]"],
    ["Reshape to an unknown rest", "const s: int64[2] = [-1, 12]\ny = Reshape(x, s)", "float32[?,12]"],
    ["Transpose", "y = Transpose(x) perm=[2,0,1]", "float32[24,N,4]"],
    [
      "Slice of another axis",
      "const a: int64[1] = [1]\nconst b: int64[1] = [3]\nconst c: int64[1] = [2]\ny = Slice(x, a, b, c)",
      "float32[N,4,2]",
    ],
    ["Slice of the symbol", "const a: int64[1] = [1]\nconst b: int64[1] = [3]\ny = Slice(x, a, b)", "float32[?,4,24]"],
    ["Pad", "const p: int64[6] = [0, 1, 0, 0, 1, 0]\ny = Pad(x, p)", "float32[N,6,24]"],
    ["Split", "y, z = Split(x) axis=2 num_outputs=2", "float32[N,4,12]"],
    ["Squeeze of nothing", "const a: int64[1] = [0]\nu = Unsqueeze(x, a)\ny = Squeeze(u, a)", "float32[N,4,24]"],
    ["MatMul", "const w: float32[24,5] = zeros\ny = MatMul(x, w)", "float32[N,4,5]"],
    ["MaxPool", "y = MaxPool(x) kernel_shape=[2] strides=[2]", "float32[N,4,12]"],
    ["Resize of another axis", "const s: float32[3] = [1, 1, 2]\ny = Resize(x, _, s)", "float32[N,4,48]"],
    ["ReduceSum", "const a: int64[1] = [-1]\ny = ReduceSum(x, a) keepdims=0", "float32[N,4]"],
    ["Tile", "const r: int64[3] = [1, 2, 1]\ny = Tile(x, r)", "float32[N,8,24]"],
    ["TopK", "const k: int64[1] = [3]\ny, i = TopK(x, k)", "float32[N,4,3]"],
    ["Where", "c = Cast(x) to=9\ny = Where(c, x, x)", "float32[N,4,24]"],
    [
      "OneHot",
      "i = Cast(x) to=7\nconst d: int64[] = 6\nconst v: float32[2] = [0, 1]\ny = OneHot(i, d, v) axis=0",
      "float32[6,N,4,24]",
    ],
    ["Range", "const a: int64[] = 0\ns = Size(x)\ny = Range(a, s, b)\nconst b: int64[] = 1", "int64[?]"],
    ["NonZero", "y = NonZero(x)", "int64[3,?]"],
    ["Shape", "y = Shape(x)", "int64[3]"],
  ])("%s", (_, text, expected) => {
    expect(typeOfY(`input x: float32[N,4,24]\n${text}\nreturn y`)).toBe(expected);
  });
});

describe("the user is told of", () => {
  it.each([
    ["const s: int64[2] = [5, 5]\ny = Reshape(x, s)", /\[3,4\] cannot be reshaped to \[5,5\]/],
    ["const s: int64[2] = [-1, -1]\ny = Reshape(x, s)", /two dimensions/],
    ["const s: int64[3] = [0, 0, 0]\ny = Reshape(x, s)", /rank 2/],
    ["y = Transpose(x) perm=[0,0]", /does not permute/],
    ["const a: int64[1] = [0]\nconst s: int64[1] = [0]\ny = Slice(x, a, a, a, s)", /step is 0/],
    ["const a: int64[1] = [0]\ny = Squeeze(x, a)", /size 3, not 1/],
    ["const a: int64[2] = [0, 0]\ny = Unsqueeze(x, a)", /name one twice/],
    ["const p: int64[2] = [0, 0]\ny = Pad(x, p)", /2 pads for 2 axes/],
    ['const p: int64[4] = [0, 0, 0, 0]\ny = Pad(x, p) mode="odd"', /mode odd/],
    ["const r: int64[1] = [2]\ny = Tile(x, r)", /repeats/],
    ["y = MatMul(x, x)", /no matrix product/],
    ["const k: int64[1] = [9]\ny, i = TopK(x, k)", /9 elements are asked of an axis of 4/],
    ["y, z = Split(x) axis=1 num_outputs=3", /num_outputs is 3/],
    ["y = Resize(x)", /neither scales nor sizes/],
    ["y = MaxPool(x) kernel_shape=[2]", /rank/],
    ["y = Mod(x, x)", /needs fmod=1/],
    ["y = Not(x)", /takes bool/],
    ["y = ScatterElements(x, i, x)\nconst i: int64[1] = [0]", /rank 1/],
    ['const i: int64[1,1] = [0]\ny = ScatterND(x, i, x) reduction="xor"', /reduction xor/],
    ["const s: float32[3] = [1, 1, 1]\nconst z: int8[2] = [0, 0]\ny = QuantizeLinear(x, s, z)", /its zero point \[2\]/],
    ["y = SequenceAt(x, p)\nconst p: int64[] = 0", /not a sequence/],
    ["const s: float32[5] = ones\ny = RMSNormalization(x, s)", /do not broadcast/],
    ["const a: float32[] = 0\nconst b: float32[] = 1e30\ny = Range(a, b, c)\nconst c: float32[] = 1", /too long/],
  ])("%s", (text, message) => {
    expect(() => inferTypes(parse(`input x: float32[3,4]\n${text}\nreturn y`))).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^model\//), message: expect.stringMatching(message) }),
    );
  });

  it.each([
    ["const i: int64[1,2] = [0, 9]\ny = ScatterElements(x, i, x)", /index 9/],
    ["const i: int64[1,1] = [7]\nconst u: float32[1,4] = ones\ny = ScatterND(x, i, u)", /index 7/],
    ["s = SequenceConstruct(x)\nconst p: int64[] = 1\ny = SequenceAt(s, p)", /position 1/],
    ["o = Identity(x)\nconst l: int64[4] = [9, 0, 0, 0]\ny = ReverseSequence(o, l)", /do not fit 3 steps/],
    ["const t: int64[3] = [0, 1, 9]\ny = NegativeLogLikelihoodLoss(x, t)", /target 9/],
  ])("%s at run time", (text, message) => {
    const x = { dtype: "float32", shape: [3, 4], data: new Float32Array(12) } as const;
    expect(() => interpret(parse(`input x: float32[3,4]\n${text}\nreturn y`), new Map([["x", x]]))).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^model\//), message: expect.stringMatching(message) }),
    );
  });
});
