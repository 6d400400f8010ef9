import { describe, it } from "vitest";
import { type DifferentialOptions, expectSameAsRuntime } from "../harness/differential.ts";

/** Operators, forms and dtypes that ONNX 1.12's test data do not have, on seeded inputs against ONNX Runtime. */
const CASES: readonly (readonly [name: string, text: string, options?: DifferentialOptions])[] = [
  ["Gelu", "input x: float32[3,7]\ny = Gelu(x)\nreturn y"],
  ["Gelu tanh", 'input x: float32[3,7]\ny = Gelu(x) approximate="tanh"\nreturn y'],
  [
    "Add int32 wraps",
    "input x: int32[5]\nconst b: int32[5] = [2147483647, -2147483648, 1, 2, 3]\ny = Add(x, b)\nreturn y",
  ],
  ["Add uint64", "input x: uint64[5]\nconst b: uint64[1] = [18446744073709551615]\ny = Add(x, b)\nreturn y"],
  ["Div int64", "input x: int64[8]\nconst b: int64[1] = [-2]\ny = Div(x, b)\nreturn y", { low: -50, high: 50 }],
  [
    "Div int32 by broadcast",
    "input x: int32[4,1]\nconst b: int32[3] = [7, -3, 2]\ny = Div(x, b)\nreturn y",
    { low: -99, high: 99 },
  ],
  [
    "Clip int8",
    "input x: int8[9]\nconst a: int8[] = -5\nconst b: int8[] = 6\ny = Clip(x, a, b)\nreturn y",
    { low: -20, high: 20 },
  ],
  ["Clip int64", "input x: int64[9]\nconst a: int64[] = -5\ny = Clip(x, a)\nreturn y", { low: -20, high: 20 }],
  [
    "BitwiseAnd, Or, Xor, Not",
    "input x: int32[9]\ninput z: int32[9]\na = BitwiseAnd(x, z)\nb = BitwiseOr(a, z)\nc = BitwiseXor(b, x)\nd = BitwiseNot(c)\nreturn a, b, c, d",
    { low: -9e8, high: 9e8 },
  ],
  [
    "BitShift uint64",
    'input x: uint64[9]\nconst n: uint64[1] = [62]\ny = BitShift(x, n) direction="LEFT"\nz = BitShift(y, n) direction="RIGHT"\nreturn y, z',
  ],
  [
    "Cast float32 to the small types",
    "input x: float32[40]\na = Cast(x) to=10\nb = Cast(a) to=1\nc = Cast(x) to=16\nd = Cast(c) to=1\nreturn b, d",
    { low: -70000, high: 70000 },
  ],
  [
    "Cast through float8",
    "input x: float32[64]\na = Cast(x) to=17\nb = Cast(a) to=1\nc = Cast(x) to=18\nd = Cast(c) to=1\ne = Cast(x) to=19\nf = Cast(e) to=1\ng = Cast(x) to=20\nh = Cast(g) to=1\nreturn b, d, f, h",
    { low: -600, high: 600 },
  ],
  [
    "Cast through float8 without saturation",
    "input x: float32[64]\na = Cast(x) to=17 saturate=0\nb = Cast(a) to=1\nreturn b",
    { low: -600, high: 600 },
  ],
  ["Cast through int4", "input x: int8[15]\na = Cast(x) to=22\nb = Cast(a) to=3\nreturn b", { low: -8, high: 8 }],
  ["Cast through uint4", "input x: uint8[15]\na = Cast(x) to=21\nb = Cast(a) to=2\nreturn b", { low: 0, high: 16 }],
  ["Cast to bool and back", "input x: float32[9]\na = Cast(x) to=9\nb = Cast(a) to=11\nreturn a, b"],
  [
    "Cast between integers",
    "input x: int64[9]\na = Cast(x) to=3\nb = Cast(x) to=12\nc = Cast(x) to=5\nreturn a, b, c",
    { low: -1e6, high: 1e6 },
  ],
  ["Cast to text", "input x: float32[6]\na = Cast(x) to=8\nb = Cast(a) to=1\nreturn b"],
  ["CastLike", "input x: float32[6]\nconst k: int32[1] = [0]\ny = CastLike(x, k)\nreturn y"],
  [
    "DequantizeLinear int4, one scale",
    "const x: int4[5] = [-8, 7, 1, -1, 3]\nconst s: float32[] = 0.25\nconst z: int4[] = 2\ny = DequantizeLinear(x, s, z)\nreturn y",
  ],
  [
    "DequantizeLinear uint4, an axis",
    "const x: uint4[2,3] = [0, 15, 7, 1, 2, 3]\nconst s: float32[2] = [0.25, 3]\nconst z: uint4[2] = [8, 1]\ny = DequantizeLinear(x, s, z) axis=0\nreturn y",
  ],
  [
    "DequantizeLinear int4, blocks",
    "const x: int4[2,4,2] = [-8, 7, 1, -1, 3, 0, 2, 5, -8, 7, 1, -1, 3, 0, 2, 5]\nconst s: float32[2,2,2] = [0.25, 3, 1, 2, 0.5, 0.125, 7, 8]\ny = DequantizeLinear(x, s) axis=1 block_size=2\nreturn y",
  ],
  [
    "DequantizeLinear int16, int32",
    "input x: int16[2,3]\ninput w: int32[4]\nconst s: float32[3] = [0.5, 2, 3]\nconst t: float32[] = 0.125\ny = DequantizeLinear(x, s) axis=-1\nz = DequantizeLinear(w, t)\nreturn y, z",
    { low: -3000, high: 3000 },
  ],
  [
    "DequantizeLinear to float16",
    "input x: int8[4]\nconst s: float16[] = 0.5\ny = DequantizeLinear(x, s)\nz = Cast(y) to=1\nreturn z",
  ],
  [
    "DequantizeLinear float8",
    "input x: float32[8]\na = Cast(x) to=17\nconst s: float32[] = 0.5\ny = DequantizeLinear(a, s)\nreturn y",
  ],
  ["DynamicQuantizeLinear", "input x: float32[50]\ny, s, z = DynamicQuantizeLinear(x)\nreturn y, s, z"],
  [
    "AveragePool, dilated",
    "input x: float32[2,3,9,8]\ny = AveragePool(x) kernel_shape=[3,2] dilations=[2,1] strides=[2,1] pads=[1,0,1,1]\nreturn y",
  ],
  [
    "AveragePool, ceil and padding counted",
    "input x: float32[1,2,7,7]\ny = AveragePool(x) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1] ceil_mode=1 count_include_pad=1\nreturn y",
  ],
  ["LpPool, dilated", "input x: float32[1,2,9]\ny = LpPool(x) kernel_shape=[2] dilations=[3] p=3\nreturn y"],
  [
    "Conv 1-D, groups",
    "input x: float32[2,4,9]\nconst w: float32[6,2,3] = random(5)\nconst b: float32[6] = random(6)\ny = Conv(x, w, b) group=2 strides=[2] pads=[1,2] dilations=[2]\nreturn y",
  ],
  [
    "Conv 3-D, SAME_LOWER",
    'input x: float32[1,2,5,6,4]\nconst w: float32[3,2,2,3,2] = random(5)\ny = Conv(x, w) auto_pad="SAME_LOWER" strides=[2,1,1]\nreturn y',
  ],
  [
    "Conv depthwise float16",
    "input f: float32[1,4,6,6]\nx = Cast(f) to=10\nconst w: float16[4,1,3,3] = random(5)\ny = Conv(x, w) group=4\nz = Cast(y) to=1\nreturn z",
    { tolerance: 4e-3 },
  ],
  [
    "ConvTranspose, groups",
    "input x: float32[1,4,5,3]\nconst w: float32[4,2,3,3] = random(5)\nconst b: float32[4] = random(6)\ny = ConvTranspose(x, w, b) group=2 strides=[2,3] pads=[1,0,1,1] output_padding=[1,0]\nreturn y",
  ],
  [
    "ConvTranspose, SAME_UPPER",
    'input x: float32[1,2,5]\nconst w: float32[2,2,4] = random(5)\ny = ConvTranspose(x, w) auto_pad="SAME_UPPER" strides=[2]\nreturn y',
  ],
  [
    "ConvTranspose, SAME_LOWER",
    'input x: float32[1,2,5]\nconst w: float32[2,2,5] = random(5)\ny = ConvTranspose(x, w) auto_pad="SAME_LOWER" strides=[2]\nreturn y',
  ],
  [
    "ConvTranspose, output_shape",
    "input x: float32[1,2,5]\nconst w: float32[2,2,4] = random(5)\ny = ConvTranspose(x, w) output_shape=[9] strides=[2]\nreturn y",
  ],
  [
    "DeformConv",
    "input x: float32[2,4,6,5]\nconst w: float32[4,2,3,2] = random(5)\ninput o: float32[2,24,4,4]\nconst b: float32[4] = random(6)\ninput m: float32[2,12,4,4]\ny = DeformConv(x, w, o, b, m) group=2 offset_group=2\nreturn y",
  ],
  [
    "Col2Im",
    "input x: float32[1,8,9]\nconst i: int64[2] = [4, 4]\nconst b: int64[2] = [2, 2]\ny = Col2Im(x, i, b)\nreturn y",
  ],
  [
    "Col2Im, padded and dilated",
    "input x: float32[2,12,4]\nconst i: int64[2] = [5, 5]\nconst b: int64[2] = [2, 3]\ny = Col2Im(x, i, b) dilations=[2,2] pads=[0,1,0,1] strides=[2,2]\nreturn y",
  ],
  [
    "BatchNormalization in training",
    "input x: float32[3,2,4]\nconst s: float32[2] = random(1)\nconst b: float32[2] = random(2)\nconst m: float32[2] = random(3)\nconst v: float32[2] = [1, 2]\ny, rm, rv = BatchNormalization(x, s, b, m, v) training_mode=1\nreturn y, rm, rv",
  ],
  [
    "GroupNormalization",
    "input x: float32[2,6,5]\nconst s: float32[6] = random(1)\nconst b: float32[6] = random(2)\ny = GroupNormalization(x, s, b) num_groups=3 epsilon=0.01\nreturn y",
  ],
  [
    "LayerNormalization",
    "input x: float32[2,3,4]\nconst s: float32[3,4] = random(1)\nconst b: float32[3,4] = random(2)\ny, m, d = LayerNormalization(x, s, b) axis=1\nreturn y, m, d",
  ],
  [
    "InstanceNormalization",
    "input x: float32[2,3,4,2]\nconst s: float32[3] = random(1)\nconst b: float32[3] = random(2)\ny = InstanceNormalization(x, s, b) epsilon=0.01\nreturn y",
  ],
  ["LpNormalization p=1", "input x: float32[2,3,4]\ny = LpNormalization(x) axis=1 p=1\nreturn y"],
  ["LRN", "input x: float32[2,7,3,1]\ny = LRN(x) size=3 alpha=0.5 beta=0.6 bias=1.5\nreturn y"],
  [
    "Gemm transposed",
    "input a: float32[4,3]\ninput b: float32[2,4]\ninput c: float32[3,1]\ny = Gemm(a, b, c) transA=1 transB=1 alpha=0.5 beta=2.0\nreturn y",
  ],
  [
    "Einsum",
    'input a: float32[2,3,4]\ninput b: float32[2,4,5]\ny = Einsum(a, b) equation="bij,bjk->bik"\nz = Einsum(a) equation="...i->..."\nw = Einsum(a, b) equation="bij,bjk"\nreturn y, z, w',
  ],
  [
    "Einsum, ellipsis",
    'input a: float32[2,3,4]\ninput b: float32[4,3]\ny = Einsum(a, b) equation="...ij,ji->...j"\nreturn y',
  ],
  [
    "ArgMax, last of ties",
    "input x: int32[4,9]\ny = ArgMax(x) axis=1 select_last_index=1\nz = ArgMin(x) axis=0 keepdims=0\nreturn y, z",
  ],
  ["CumSum int64", "input x: int64[3,4]\nconst a: int64[] = 1\ny = CumSum(x, a) exclusive=1 reverse=1\nreturn y"],
  ["Det", "input x: float32[5,4,4]\ny = Det(x)\nreturn y", { tolerance: 1e-4 }],
  [
    "DFT, an axis",
    "input x: float32[2,5,6,1]\nconst n: int64[] = 7\nconst a: int64[] = 1\ny = DFT(x, n, a)\nz = DFT(x, n, a) onesided=1\nw = DFT(y, n, a) inverse=1\nreturn y, z, w",
  ],
  [
    "HannWindow and others",
    "const n: int64[] = 9\na = HannWindow(n)\nb = HammingWindow(n) periodic=0\nc = BlackmanWindow(n)\nreturn a, b, c",
  ],
  [
    "GridSample linear",
    "input x: float32[2,3,5,4]\ninput g: float32[2,6,7,2]\ny = GridSample(x, g)\nreturn y",
    { low: -1.3, high: 1.3 },
  ],
  [
    "GridSample 3-D",
    'input x: float32[1,2,3,4,5]\ninput g: float32[1,2,3,4,3]\ny = GridSample(x, g) mode="linear" align_corners=1 padding_mode="border"\nz = GridSample(x, g) mode="nearest" padding_mode="reflection"\nreturn y, z',
    { low: -1.6, high: 1.6 },
  ],
  [
    "GridSample cubic",
    'input x: float32[1,2,5,4]\ninput g: float32[1,6,7,2]\na = GridSample(x, g) mode="cubic"\nb = GridSample(x, g) mode="cubic" padding_mode="border" align_corners=1\nc = GridSample(x, g) mode="cubic" padding_mode="reflection"\nreturn a, b, c',
    { low: -1.4, high: 1.4 },
  ],
  [
    "GridSample reflected far",
    'input x: float32[1,1,5,4]\ninput g: float32[1,6,7,2]\na = GridSample(x, g) padding_mode="reflection"\nb = GridSample(x, g) padding_mode="reflection" align_corners=1 mode="nearest"\nreturn a, b',
    { low: -4, high: 4 },
  ],
  [
    "AffineGrid",
    "input t: float32[2,2,3]\nconst s: int64[4] = [2, 3, 4, 5]\ny = AffineGrid(t, s)\nz = AffineGrid(t, s) align_corners=1\nreturn y, z",
  ],
  ["AffineGrid 3-D", "input t: float32[1,3,4]\nconst s: int64[5] = [1, 1, 2, 3, 4]\ny = AffineGrid(t, s)\nreturn y"],
  [
    "GatherND int64 batch",
    "input x: int64[2,3,4]\nconst i: int64[2,2,1] = [1, -1, 0, 2]\ny = GatherND(x, i) batch_dims=1\nreturn y",
  ],
  [
    "GatherElements int8",
    "input x: int8[3,4]\nconst i: int32[2,4] = [0, 1, 2, -1, -3, 0, 0, 2]\ny = GatherElements(x, i)\nreturn y",
  ],
  [
    "LSTM, both directions, peepholes, lengths",
    'input x: float32[5,3,4]\nconst w: float32[2,8,4] = random(1)\nconst r: float32[2,8,2] = random(2)\nconst b: float32[2,16] = random(3)\nconst l: int32[3] = [5, 2, 4]\nconst h: float32[2,3,2] = random(4)\nconst c: float32[2,3,2] = random(5)\nconst p: float32[2,6] = random(6)\ny, yh, yc = LSTM(x, w, r, b, l, h, c, p) hidden_size=2 direction="bidirectional" clip=0.7\nreturn y, yh, yc',
  ],
  [
    "LSTM, other activations",
    'input x: float32[5,3,4]\nconst w: float32[1,8,4] = random(1)\nconst r: float32[1,8,2] = random(2)\ny, yh, yc = LSTM(x, w, r) hidden_size=2 direction="reverse" activations=["HardSigmoid","Softsign","Tanh"] activation_alpha=[0.3] activation_beta=[0.4]\nreturn y, yh, yc',
  ],
  [
    "GRU",
    'input x: float32[5,3,4]\nconst w: float32[2,6,4] = random(1)\nconst r: float32[2,6,2] = random(2)\nconst b: float32[2,12] = random(3)\nconst l: int32[3] = [5, 2, 4]\ny, yh = GRU(x, w, r, b, l) hidden_size=2 direction="bidirectional"\nz, zh = GRU(x, w, r, b) hidden_size=2 direction="bidirectional" linear_before_reset=1\nreturn y, yh, z, zh',
  ],
  [
    "Loop with scan output",
    "input x: float32[2]\nconst n: int64[] = 4\nconst t: bool[] = 1\nz, s = Loop(n, t, x) body={\n  input i: int64[]\n  input c: bool[]\n  input v: float32[2]\n  w = Add(v, v)\n  d = Identity(c)\n  u = Identity(w)\n  return d, w, u\n}\nreturn z, s",
  ],
  [
    "If",
    "input c: bool[]\ninput x: float32[3]\ny = If(c) then_branch={\n  a = Neg(x)\n  return a\n} else_branch={\n  b = Exp(x)\n  return b\n}\nreturn y",
  ],
  [
    "Compress, flattened",
    "input x: float32[3,4]\nconst c: bool[5] = [1, 0, 1, 1, 0]\ny = Compress(x, c)\nz = Compress(x, c2) axis=1\nconst c2: bool[3] = [0, 1, 1]\nreturn y, z",
  ],
  ["EyeLike", "input x: int32[3,5]\ny = EyeLike(x) k=1 dtype=1\nz = EyeLike(x) k=-1\nreturn y, z"],
  [
    "CenterCropPad",
    "input x: float32[5,4,3]\nconst s: int64[2] = [3, 7]\ny = CenterCropPad(x, s) axes=[0,1]\nreturn y",
  ],
  [
    "IsInf, IsNaN",
    "input x: float32[5]\nconst z: float32[1] = [0]\ny = Div(x, z)\na = IsInf(y)\nb = IsInf(y) detect_negative=0\nc = IsNaN(y)\nreturn a, b, c",
  ],
  ["Hardmax, LogSoftmax", "input x: float32[3,4,5]\na = Hardmax(x) axis=1\nb = LogSoftmax(x) axis=0\nreturn a, b"],
  [
    "DepthToSpace CRD",
    'input x: float32[2,8,2,3]\ny = DepthToSpace(x) blocksize=2 mode="CRD"\nz = DepthToSpace(x) blocksize=2\nreturn y, z',
  ],
];

const ATTENTION: typeof CASES = [
  [
    "rank 4",
    "input q: float32[2,4,3,8]\ninput k: float32[2,2,5,8]\ninput v: float32[2,2,5,6]\ny = Attention(q, k, v)\nreturn y",
  ],
  [
    "rank 3, causal",
    "input q: float32[2,3,16]\ninput k: float32[2,3,8]\ninput v: float32[2,3,12]\ny = Attention(q, k, v) q_num_heads=4 kv_num_heads=2 is_causal=1\nreturn y",
  ],
  [
    "a mask of numbers, capped",
    "input q: float32[1,2,3,4]\ninput k: float32[1,2,5,4]\ninput v: float32[1,2,5,4]\ninput m: float32[3,5]\ny = Attention(q, k, v, m) softcap=2.0 scale=0.7\nreturn y",
  ],
  [
    "a mask of booleans",
    "input q: float32[1,2,2,4]\ninput k: float32[1,2,3,4]\ninput v: float32[1,2,3,4]\nconst m: bool[2,3] = [1, 0, 1, 0, 1, 1]\ny = Attention(q, k, v, m)\nreturn y",
  ],
  [
    "past and present, causal",
    "input q: float32[1,2,3,4]\ninput k: float32[1,2,3,4]\ninput v: float32[1,2,3,4]\ninput pk: float32[1,2,2,4]\ninput pv: float32[1,2,2,4]\ny, a, b = Attention(q, k, v, _, pk, pv) is_causal=1\nreturn y, a, b",
  ],
  ...[0, 1, 2, 3].map((mode): [string, string] => [
    `scores at stage ${mode}`,
    `input q: float32[1,2,3,4]\ninput k: float32[1,2,5,4]\ninput v: float32[1,2,5,4]\ninput m: float32[3,5]\ny, _, _, s = Attention(q, k, v, m) qk_matmul_output_mode=${mode}\nreturn y, s`,
  ]),
];

describe("the interpreter and ONNX Runtime agree on", () => {
  for (const [name, text, options] of CASES) it(name, () => expectSameAsRuntime(text, options));

  for (const [name, text] of ATTENTION) {
    it(`Attention: ${name}`, () => expectSameAsRuntime(`graph attention opset 23\n${text}`));
  }
});
