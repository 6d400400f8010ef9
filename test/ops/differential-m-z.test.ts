import { describe, it } from "vitest";
import { type DifferentialOptions, expectSameAsRuntime } from "../harness/differential.ts";

type Case = readonly [name: string, text: string, options?: DifferentialOptions];

/** Forms and dtypes that ONNX 1.12's test data do not have, on seeded inputs against ONNX Runtime. */
const CASES: readonly Case[] = [
  ["Mish", "input x: float32[3,7]\ny = Mish(x)\nreturn y"],
  ["Mul int32 wraps", "input x: int32[6]\ninput z: int32[6]\ny = Mul(x, z)\nreturn y", { low: -2e9, high: 2e9 }],
  ["Mul uint64 wraps", "input x: uint64[6]\ninput z: uint64[6]\ny = Mul(x, z)\nreturn y", { low: 0, high: 1e15 }],
  ["Sub, Neg int64", "input x: int64[6]\ninput z: int64[2,1]\ny = Sub(x, z)\nw = Neg(y)\nreturn y, w"],
  ["Pow int64", "input x: int64[6]\nconst e: int64[1] = [5]\ny = Pow(x, e)\nreturn y", { low: -99, high: 99 }],
  [
    "Pow float by int",
    "input x: float32[6]\nconst e: int32[2,1] = [3, -2]\ny = Pow(x, e)\nreturn y",
    { tolerance: 1e-4, low: 0.5 },
  ],
  [
    "Mod, both signs",
    "input x: int32[9]\nconst m: int32[2,1] = [3, -4]\ny = Mod(x, m)\nz = Mod(x, m) fmod=1\nreturn y, z",
    { low: -20, high: 20 },
  ],
  ["Mod float", "input x: float32[9]\ninput m: float32[9]\ny = Mod(x, m) fmod=1\nreturn y"],
  ["Max, Min with NaN", "input x: float32[9]\na = Sqrt(x)\nb = Max(a, x)\nc = Min(x, a)\nreturn b, c"],
  [
    "Max, Min int64",
    "input x: int64[9]\ninput z: int64[2,1]\nb = Max(x, z, x)\nc = Min(x, z)\nreturn b, c",
    { low: -9e8, high: 9e8 },
  ],
  ["Mean, Sum", "input x: float32[9]\ninput z: float32[2,1]\nb = Mean(x, z, x)\nc = Sum(x, z)\nreturn b, c"],
  ["PRelu by channel", "input x: float32[2,3,4]\nconst s: float32[3,1] = [0.1, 0.2, -3]\ny = PRelu(x, s)\nreturn y"],
  ["Round", "const x: float32[7] = [0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6]\ny = Round(x)\nreturn y"],
  [
    "Shrink, ThresholdedRelu, Selu, Softsign, Softplus",
    "input x: float32[30]\na = Shrink(x) bias=0.3 lambd=1.1\nb = ThresholdedRelu(x) alpha=0.7\nc = Selu(x)\nd = Softsign(x)\ne = Softplus(x)\nreturn a, b, c, d, e",
  ],
  [
    "Sigmoid, Tanh, Softplus far out",
    "const x: float32[4] = [-200, -90, 90, 200]\na = Sigmoid(x)\nb = Tanh(x)\nc = Softplus(x)\nreturn a, b, c",
  ],
  [
    "trigonometry",
    "input x: float32[30]\na = Sin(x)\nb = Sinh(x)\nc = Tan(x)\nd = Sign(x)\ne = Reciprocal(x)\nreturn a, b, c, d, e",
    { low: -1.4, high: 1.4, tolerance: 1e-4 },
  ],
  ["Relu int8, Sign int64", "input x: int32[9]\ninput z: int64[9]\na = Relu(x)\nb = Sign(z)\nreturn a, b"],
  ["Not, Or, Xor", "input x: bool[9]\ninput z: bool[2,1]\na = Not(x)\nb = Or(a, z)\nc = Xor(b, x)\nreturn a, b, c"],
  ["Where int64", "input c: bool[3,1]\ninput x: int64[4]\ninput z: int64[3,4]\ny = Where(c, x, z)\nreturn y"],
  [
    "Reduce, axes and ints",
    "input x: float32[3,4,5]\nconst a: int64[2] = [0, -1]\nb = ReduceSum(x, a)\nc = ReduceMean(x, a) keepdims=0\nd = ReduceMax(x)\ne = ReduceL1(x, a)\nf = ReduceL2(x, a)\ng = ReduceSumSquare(x, a)\nh = ReduceLogSumExp(x, a)\ni = ReduceProd(x, a)\nreturn b, c, d, e, f, g, h, i",
    { tolerance: 1e-4 },
  ],
  [
    "Reduce integers",
    "input x: int32[3,4]\ninput z: int64[3,4]\nconst a: int64[1] = [1]\nb = ReduceSum(x, a)\nc = ReduceMin(z, a)\nd = ReduceProd(z, a)\ne = ReduceMax(x, a)\nreturn b, c, d, e",
    { low: -50, high: 50 },
  ],
  [
    "ReduceMax uint8, ReduceMin int8",
    "input x: uint8[3,4]\ninput z: int8[3,4]\nb = ReduceMax(x)\nc = ReduceMin(z)\nreturn b, c",
    { low: -100, high: 100 },
  ],
  ["ReduceLogSum", "input x: float32[3,4]\nconst a: int64[1] = [1]\nb = ReduceLogSum(x, a)\nreturn b", { low: 0.1 }],
  ["MatMul, broadcast", "input a: float32[2,1,3,4]\ninput b: float32[5,4,2]\ny = MatMul(a, b)\nreturn y"],
  [
    "MatMul, lists",
    "input a: float32[4]\ninput b: float32[3,4,2]\ny = MatMul(a, b)\nz = MatMul(a, a)\nw = MatMul(b, c)\nconst c: float32[2] = [1, 2]\nreturn y, z, w",
  ],
  [
    "MatMul int32, int64",
    "input a: int32[3,4]\ninput b: int32[4,2]\ninput c: int64[3,4]\ninput d: int64[4,2]\ny = MatMul(a, b)\nz = MatMul(c, d)\nreturn y, z",
    { low: -9e8, high: 9e8 },
  ],
  [
    "MatMulInteger, zero points",
    "input a: uint8[3,4]\ninput b: int8[4,2]\nconst p: uint8[] = 7\nconst q: int8[2] = [3, -4]\ny = MatMulInteger(a, b, p, q)\nreturn y",
    { low: -128, high: 127 },
  ],
  [
    "QLinearMatMul, per column",
    "input a: uint8[3,4]\ninput b: int8[4,2]\nconst s: float32[] = 0.05\nconst p: uint8[] = 7\nconst t: float32[2] = [0.02, 0.03]\nconst q: int8[2] = [0, 0]\nconst u: float32[] = 0.7\nconst r: uint8[] = 100\ny = QLinearMatMul(a, s, p, b, t, q, u, r)\nreturn y",
    { low: -100, high: 100 },
  ],
  [
    "QLinearConv, per channel",
    "input x: uint8[1,2,5,5]\nconst s: float32[] = 0.05\nconst p: uint8[] = 7\nconst w: int8[3,2,3,3] = random(4, -90, 90)\nconst t: float32[3] = [0.02, 0.03, 0.01]\nconst q: int8[3] = [0, 0, 0]\nconst u: float32[] = 0.7\nconst r: uint8[] = 100\nconst b: int32[3] = [1000, -500, 3]\ny = QLinearConv(x, s, p, w, t, q, u, r, b) pads=[1,1,1,1]\nreturn y",
    { low: 0, high: 255 },
  ],
  [
    "QuantizeLinear int4, uint4 per tensor",
    "input x: float32[41]\nconst s: float32[] = 0.4\nconst z: int4[] = 1\nconst u: uint4[] = 7\na = QuantizeLinear(x, s, z)\nb = Cast(a) to=6\nc = QuantizeLinear(x, s, u)\nd = Cast(c) to=6\nreturn b, d",
    { low: -5, high: 5 },
  ],
  [
    "QuantizeLinear int16, uint16",
    "input x: float32[41]\nconst s: float32[] = 0.4\nconst z: int16[] = 1\na = QuantizeLinear(x, s, z)\nb = QuantizeLinear(x, s) output_dtype=4\nreturn a, b",
    { low: -20000, high: 30000 },
  ],
  [
    "QuantizeLinear per axis",
    "input x: float32[3,4,5]\nconst s: float32[4] = [0.1, 0.2, 0.3, 0.01]\nconst z: int8[4] = [0, 1, -2, 3]\na = QuantizeLinear(x, s, z)\nconst t: float32[5] = [0.1, 0.2, 0.3, 0.01, 1]\nb = QuantizeLinear(x, t) axis=-1\nreturn a, b",
  ],
  [
    "QuantizeLinear blocks",
    "input x: float32[2,4,3]\nconst s: float32[2,2,3] = random(3, 0.01, 0.2)\nconst z: int4[2,2,3] = [0, 1, 2, 3, -4, 5, 0, 0, 1, 1, 2, 2]\na = QuantizeLinear(x, s, z) block_size=2\nb = Cast(a) to=6\nreturn b",
  ],
  [
    "QuantizeLinear halves",
    "const x: float32[8] = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 126.5, 400]\nconst s: float32[] = 1\nconst z: int8[] = 1\na = QuantizeLinear(x, s, z)\nreturn a",
  ],
  [
    "QuantizeLinear float8",
    "input x: float32[40]\nconst s: float32[] = 0.5\nconst z: float8e4m3fn[] = 0\na = QuantizeLinear(x, s, z)\nb = Cast(a) to=1\nreturn b",
    { low: -400, high: 400 },
  ],
  [
    "MaxPool, dilated with indices",
    "input x: float32[2,2,7,8]\ny, i = MaxPool(x) kernel_shape=[2,3] dilations=[2,1] strides=[2,1] pads=[1,0,0,1]\nreturn y, i",
  ],
  [
    "MaxPool, ceil, column-major",
    "input x: float32[1,2,6,5]\ny, i = MaxPool(x) kernel_shape=[3,3] strides=[2,2] ceil_mode=1 storage_order=1\nreturn y, i",
  ],
  [
    "MaxPool int8, 1-D",
    "input x: int8[2,2,9]\ny = MaxPool(x) kernel_shape=[2] strides=[2]\nreturn y",
    { low: -100, high: 100 },
  ],
  [
    "MaxUnpool",
    "input x: float32[1,1,2,2]\nconst i: int64[1,1,2,2] = [5, 7, 13, 15]\ny = MaxUnpool(x, i) kernel_shape=[2,2] strides=[2,2]\nreturn y",
  ],
  [
    "MaxRoiPool",
    "input x: float32[2,3,8,9]\nconst r: float32[3,5] = [0, 1, 1, 6, 5, 1, 0, 0, 8, 7, 1, 3, 2, 4, 9]\ny = MaxRoiPool(x, r) pooled_shape=[3,2] spatial_scale=0.8\nreturn y",
  ],
  [
    "RoiAlign",
    'input x: float32[2,3,8,9]\nconst r: float32[3,4] = [1, 1, 6, 5, 0, 0, 8, 7, 3, 2, 4, 9]\nconst b: int64[3] = [0, 1, 1]\na = RoiAlign(x, r, b) output_height=3 output_width=2 sampling_ratio=2 spatial_scale=0.8\nc = RoiAlign(x, r, b) output_height=3 output_width=2 coordinate_transformation_mode="output_half_pixel"\nd = RoiAlign(x, r, b) output_height=2 output_width=2 mode="max" sampling_ratio=2\nreturn a, c, d',
  ],
  [
    "MeanVarianceNormalization",
    "input x: float32[2,3,4,5]\na = MeanVarianceNormalization(x)\nb = MeanVarianceNormalization(x) axes=[1,2]\nreturn a, b",
  ],
  [
    "NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss",
    'input x: float32[2,3,4]\nconst t: int64[2,4] = [0, 1, 2, 0, 2, 2, 1, 0]\nconst w: float32[3] = [0.2, 1, 3]\na = NegativeLogLikelihoodLoss(x, t, w)\nb = NegativeLogLikelihoodLoss(x, t) reduction="none"\nc, d = SoftmaxCrossEntropyLoss(x, t, w) ignore_index=1\nreturn a, b, c, d',
  ],
  [
    "Reduce of no axes",
    "input x: float32[3,4]\nconst e: int64[0] = []\na = ReduceSum(x, e) noop_with_empty_axes=1\nb = ReduceSum(x, e)\nc = ReduceMax(x) noop_with_empty_axes=1\nreturn a, b, c",
  ],
  [
    "MaxPool, SAME",
    'input x: float32[1,2,7,6]\na = MaxPool(x) kernel_shape=[3,2] strides=[2,2] auto_pad="SAME_UPPER"\nb = MaxPool(x) kernel_shape=[3,2] strides=[1,2] auto_pad="SAME_LOWER"\nreturn a, b',
  ],
  [
    "float16",
    "input x: float16[3,4]\ninput z: float16[4,2]\na = MatMul(x, z)\nb = Softmax(x)\nc = Max(x, b)\nd = ReduceMean(x)\ne = Cast(a) to=1\nf = Cast(b) to=1\ng = Cast(c) to=1\nh = Cast(d) to=1\nreturn e, f, g, h",
    { tolerance: 4e-3 },
  ],
  [
    "Slice, Transpose, Pad, Where of strings and booleans",
    'const x: string[2,2] = ["a", "b", "c", "d"]\ninput b: bool[2,2]\na = Transpose(x)\nc = Where(b, x, a)\nconst s: int64[1] = [1]\nconst e: int64[1] = [2]\nd = Slice(a, s, e)\nconst p: int64[4] = [1, 0, 0, 1]\nf = Pad(b, p)\nreturn c, d, f',
  ],
  ["Softmax", "input x: float32[3,4,5]\na = Softmax(x)\nb = Softmax(x) axis=1\nreturn a, b"],
  ["NonZero, Shape, Size", "input x: bool[3,4]\na = NonZero(x)\nb = Shape(x) start=-1\nc = Size(x)\nreturn a, b, c"],
  [
    "OneHot",
    "const i: int64[2,2] = [0, -1, 2, 9]\nconst d: int64[] = 4\nconst v: float32[2] = [-1, 5]\na = OneHot(i, d, v)\nb = OneHot(i, d, v) axis=0\nreturn a, b",
  ],
  [
    "Range",
    "const a: float32[] = 1\nconst b: float32[] = 7.1\nconst c: float32[] = 1.5\ny = Range(a, b, c)\nconst d: int64[] = 10\nconst e: int64[] = -3\nconst f: int64[] = -4\nz = Range(d, e, f)\nreturn y, z",
  ],
  [
    "Reshape",
    "input x: float32[2,3,4]\nconst s: int64[3] = [0, -1, 2]\na = Reshape(x, s)\nconst t: int64[1] = [-1]\nb = Reshape(x, t)\nreturn a, b",
  ],
  [
    "Transpose, Squeeze, Unsqueeze",
    "input x: int8[2,1,3]\na = Transpose(x) perm=[2,0,1]\nb = Squeeze(x)\nconst k: int64[2] = [0, -1]\nc = Unsqueeze(x, k)\nd = Transpose(x)\nreturn a, b, c, d",
  ],
  [
    "Slice",
    "input x: float32[5,6,7]\nconst s: int64[2] = [-1, 1]\nconst e: int64[2] = [-9223372036854775808, 9223372036854775807]\nconst a: int64[2] = [0, -1]\nconst p: int64[2] = [-2, 3]\ny = Slice(x, s, e, a, p)\nreturn y",
  ],
  [
    "Split",
    "input x: int64[2,7]\na, b, c = Split(x) axis=1 num_outputs=3\nconst s: int64[2] = [1, 6]\nd, e = Split(x, s) axis=-1\nreturn a, b, c, d, e",
  ],
  [
    "Pad",
    'input x: float32[3,4]\nconst p: int64[4] = [1, -1, 2, 3]\nconst v: float32[] = 9\nconst q: int64[2] = [2, 3]\nconst k: int64[1] = [-1]\na = Pad(x, p, v)\nb = Pad(x, p) mode="edge"\nc = Pad(x, q, _, k) mode="reflect"\nd = Pad(x, q, _, k) mode="wrap"\nreturn a, b, c, d',
  ],
  [
    "Tile, Trilu",
    "input x: int64[2,3]\nconst r: int64[2] = [2, 3]\na = Tile(x, r)\nconst k: int64[] = -1\nb = Trilu(a, k) upper=0\nc = Trilu(a)\nreturn a, b, c",
  ],
  ["SpaceToDepth", "input x: float32[2,3,4,6]\ny = SpaceToDepth(x) blocksize=2\nreturn y"],
  [
    "ReverseSequence",
    "input x: float32[4,3,2]\nconst l: int64[3] = [4, 1, 3]\ny = ReverseSequence(x, l)\nconst m: int64[4] = [1, 2, 3, 0]\nz = ReverseSequence(x, m) batch_axis=0 time_axis=1\nreturn y, z",
  ],
  [
    "ScatterElements, ScatterND",
    'input x: float32[3,4]\nconst i: int64[2,2] = [0, -1, 2, 2]\ninput u: float32[2,2]\na = ScatterElements(x, i, u) axis=1\nb = ScatterElements(x, i, u) reduction="add"\nc = ScatterElements(x, i, u) axis=1 reduction="max"\nconst j: int64[2,1] = [1, -1]\ninput v: float32[2,4]\nd = ScatterND(x, j, v)\ne = ScatterND(x, j, v) reduction="mul"\nf = ScatterND(x, j, v) reduction="min"\nreturn a, b, c, d, e, f',
  ],
  [
    "TopK",
    "input x: int64[3,9]\nconst k: int64[1] = [4]\na, b = TopK(x, k)\nc, d = TopK(x, k) axis=1 largest=0\nreturn a, b, c, d",
  ],
  [
    "Unique",
    "input x: int64[12]\na, b, c, d = Unique(x)\ne, f, g, h = Unique(x) sorted=0\nreturn a, b, c, d, e, f, g, h",
  ],
  ["Unique, an axis", "const x: float32[3,2] = [1, 2, 0, 5, 1, 2]\na, b, c, d = Unique(x) axis=0\nreturn a, b, c, d"],
  [
    "NonMaxSuppression",
    "const b: float32[1,5,4] = [0, 0, 1, 1, 0, 0.1, 1, 1.1, 1, 1, 0, 0, 0, 10, 1, 11, 0, 10.1, 1, 11.1]\nconst s: float32[1,2,5] = [0.9, 0.75, 0.6, 0.95, 0.5, 0.3, 0.8, 0.2, 0.1, 0.7]\nconst m: int64[1] = [3]\nconst i: float32[1] = [0.5]\nconst t: float32[1] = [0.25]\ny = NonMaxSuppression(b, s, m, i, t)\nz = NonMaxSuppression(b, s, m, i) center_point_box=1\nreturn y, z",
  ],
  [
    "RNN",
    'input x: float32[5,3,4]\nconst w: float32[2,6,4] = random(1)\nconst r: float32[2,6,6] = random(2)\nconst b: float32[2,12] = random(3)\nconst l: int32[3] = [5, 2, 4]\nconst h: float32[2,3,6] = random(4)\ny, yh = RNN(x, w, r, b, l, h) hidden_size=6 direction="bidirectional" activations=["Tanh","Relu"]\nreturn y, yh',
    { tolerance: 1e-4 },
  ],
  [
    "STFT",
    "input x: float32[2,40,1]\nconst s: int64[] = 7\nconst w: float32[16] = random(1)\ny = STFT(x, s, w)\nconst n: int64[] = 15\nz = STFT(x, s, _, n) onesided=0\nreturn y, z",
    { tolerance: 1e-4 },
  ],
  [
    "MelWeightMatrix",
    "const a: int64[] = 8\nconst b: int64[] = 32\nconst c: int64[] = 8192\nconst d: float32[] = 10\nconst e: float32[] = 4000\ny = MelWeightMatrix(a, b, c, d, e)\nreturn y",
  ],
  [
    "Scan, backwards",
    "input s: float32[2]\ninput x: float32[3,4,2]\ny, z = Scan(s, x) num_scan_inputs=1 scan_input_axes=[1] scan_input_directions=[1] scan_output_axes=[1] scan_output_directions=[1] body={\n  input a: float32[2]\n  input b: float32[3,2]\n  c = ReduceSum(b, k) keepdims=0\n  const k: int64[1] = [0]\n  d = Add(a, c)\n  e = Mul(b, d)\n  return d, e\n}\nreturn y, z",
    { tolerance: 1e-4 },
  ],
  [
    "sequences",
    "input x: float32[2,3]\ninput z: float32[2,3]\na = SequenceConstruct(x, z)\nb = SequenceInsert(a, x)\nconst p: int64[] = -2\nc = SequenceAt(b, p)\nd = SequenceErase(b, p)\ne = SequenceLength(d)\nf = SequenceAt(d, p)\ng = SequenceEmpty()\nh = SequenceLength(g)\nreturn c, e, f, h",
  ],
  [
    "SplitToSequence",
    "input x: float32[5,3]\nconst s: int64[] = 2\na = SplitToSequence(x, s)\nconst p: int64[] = -1\nb = SequenceAt(a, p)\nc = SplitToSequence(x) axis=1 keepdims=0\nd = SequenceAt(c, p)\nreturn b, d",
  ],
  [
    "TfIdfVectorizer",
    'const x: int64[2,6] = [1, 1, 3, 3, 3, 7, 8, 6, 7, 5, 6, 8]\ny = TfIdfVectorizer(x) mode="TFIDF" min_gram_length=1 max_gram_length=2 max_skip_count=1 ngram_counts=[0,4] ngram_indexes=[0,1,2,3,4,5,6] pool_int64s=[2,3,5,4,5,6,7,8,6,7] weights=[1.0,2.0,0.5,1.0,3.0,1.0,2.0]\nreturn y',
  ],
  ["StringConcat", 'const x: string[4] = ["Ab", "cd", "EF", "cD"]\ny = StringConcat(x, x)\nreturn y'],
  [
    "StringSplit",
    'const x: string[3] = ["a b  c", " d ", ""]\na, b = StringSplit(x)\nc, d = StringSplit(x) delimiter=" " maxsplit=1\nreturn a, b, c, d',
  ],
];

const RESIZE: readonly Case[] = [
  ...["linear", "cubic"].flatMap((mode) =>
    ["half_pixel", "align_corners", "asymmetric"].map((transform): Case => {
      const attributes = `mode="${mode}" antialias=1 coordinate_transformation_mode="${transform}"`;
      return [
        `${mode} ${transform}, antialiased`,
        `input x: float32[1,2,9,11]\nconst z: int64[4] = [1, 2, 4, 5]\na = Resize(x, _, _, z) ${attributes} exclude_outside=1\nconst s: float32[4] = [1, 1, 2, 0.6]\nb = Resize(x, _, s) ${attributes}\nreturn a, b`,
        { tolerance: 1e-4 },
      ];
    }),
  ),

  ...["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners", "half_pixel_symmetric"].flatMap((transform) =>
    ["linear", "cubic", "nearest"].map((mode): Case => {
      const attributes = `mode="${mode}" coordinate_transformation_mode="${transform}"`;
      return [
        `${mode} ${transform}`,
        `input x: float32[2,3,5,7]\nconst z: int64[4] = [2, 3, 8, 4]\na = Resize(x, _, _, z) ${attributes}\nconst s: float32[4] = [1, 1, 0.6, 2]\nb = Resize(x, _, s) ${attributes}\nreturn a, b`,
        { tolerance: 1e-4 },
      ];
    }),
  ),
  ...["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"].map(
    (mode): Case => [
      `nearest ${mode}`,
      `input x: float32[1,1,5,7]\nconst z: int64[4] = [1, 1, 8, 4]\na = Resize(x, _, _, z) nearest_mode="${mode}" coordinate_transformation_mode="asymmetric"\nreturn a`,
    ],
  ),
  [
    "cubic, outside left out",
    'input x: float32[1,1,5,7]\nconst z: int64[4] = [1, 1, 8, 4]\na = Resize(x, _, _, z) mode="cubic" exclude_outside=1 cubic_coeff_a=-0.5\nreturn a',
    { tolerance: 1e-4 },
  ],
  [
    "crop",
    'input x: float32[1,1,5,7]\nconst r: float32[8] = [0, 0, 0.2, -0.3, 1, 1, 0.9, 1.1]\nconst z: int64[4] = [1, 1, 4, 5]\na = Resize(x, r, _, z) mode="linear" coordinate_transformation_mode="tf_crop_and_resize" extrapolation_value=5.0\nreturn a',
    { tolerance: 1e-4 },
  ],
  [
    "axes and aspect ratio",
    'input x: float32[1,1,5,7]\nconst z: int64[2] = [9, 4]\na = Resize(x, _, _, z) mode="linear" axes=[2,3] keep_aspect_ratio_policy="not_larger"\nb = Resize(x, _, _, z) axes=[3,2] keep_aspect_ratio_policy="not_smaller"\nreturn a, b',
    { tolerance: 1e-4 },
  ],
  [
    "nearest int8",
    'input x: int8[1,2,3,3]\nconst s: float32[4] = [1, 1, 2, 2]\na = Resize(x, _, s) coordinate_transformation_mode="asymmetric" nearest_mode="floor"\nreturn a',
  ],
];

/** Operators of newer opsets. */
const NEWER: readonly (readonly [name: string, opset: number, text: string, options?: DifferentialOptions])[] = [
  [
    "RMSNormalization",
    23,
    "input x: float32[2,3,4]\nconst s: float32[3,4] = random(1)\ny = RMSNormalization(x, s) axis=1 epsilon=0.01\nconst t: float32[4] = random(2)\nz = RMSNormalization(x, t)\nreturn y, z",
  ],
  [
    "RotaryEmbedding, rank 4",
    23,
    "input x: float32[2,3,4,8]\ninput c: float32[9,4]\ninput s: float32[9,4]\nconst p: int64[2,4] = [0, 1, 2, 8, 3, 4, 5, 6]\ny = RotaryEmbedding(x, c, s, p)\nz = RotaryEmbedding(x, c, s, p) interleaved=1\nreturn y, z",
  ],
  [
    "RotaryEmbedding, rank 3",
    23,
    "input x: float32[2,4,24]\ninput c: float32[2,4,4]\ninput s: float32[2,4,4]\ny = RotaryEmbedding(x, c, s) num_heads=3\nreturn y",
  ],
  [
    "RotaryEmbedding, in part",
    23,
    "input x: float32[2,3,4,8]\ninput c: float32[9,2]\ninput s: float32[9,2]\nconst p: int64[2,4] = [0, 1, 2, 8, 3, 4, 5, 6]\ny = RotaryEmbedding(x, c, s, p) rotary_embedding_dim=4\nreturn y",
  ],
  ["Swish", 24, "input x: float32[3,7]\ny = Swish(x) alpha=0.7\nz = Swish(x)\nreturn y, z"],
  [
    "TensorScatter",
    24,
    'input x: float32[2,1,4,3]\ninput u: float32[2,1,2,3]\nconst w: int64[2] = [1, 2]\ny = TensorScatter(x, u, w)\nconst v: int64[2] = [3, 2]\nz = TensorScatter(x, u, v) mode="circular"\nreturn y, z',
  ],
];

/** ONNX Runtime's own operators. */
const MICROSOFT: readonly Case[] = [
  ["Gelu, QuickGelu", "input x: float32[3,7]\ny = com.microsoft.Gelu(x)\nz = com.microsoft.QuickGelu(x)\nreturn y, z"],
  [
    "BiasGelu, FastGelu",
    "input x: float32[3,7]\nconst b: float32[7] = random(1)\ny = com.microsoft.BiasGelu(x, b)\nz = com.microsoft.FastGelu(x, b)\nw = com.microsoft.FastGelu(x)\nreturn y, z, w",
  ],
  [
    "FusedMatMul",
    "input a: float32[2,4,3]\ninput b: float32[2,5,4]\ny = com.microsoft.FusedMatMul(a, b) transA=1 transB=1 alpha=0.5\nreturn y",
  ],
  [
    "FusedMatMul, batches",
    "input a: float32[4,2,3]\ninput b: float32[2,3,5]\ny = com.microsoft.FusedMatMul(a, b) transBatchA=1\nreturn y",
  ],
  [
    "SkipLayerNormalization",
    "input x: float32[2,3,4]\ninput k: float32[2,3,4]\nconst g: float32[4] = random(1)\nconst h: float32[4] = random(2)\nconst b: float32[4] = random(3)\ny, _, _, s = com.microsoft.SkipLayerNormalization(x, k, g, h, b) epsilon=0.001\nreturn y, s",
  ],
  [
    "SkipSimplifiedLayerNormalization",
    "input x: float32[2,3,4]\ninput k: float32[2,3,4]\nconst g: float32[4] = random(1)\ny, _, _, s = com.microsoft.SkipSimplifiedLayerNormalization(x, k, g) epsilon=0.001\nreturn y, s",
  ],
  [
    "SimplifiedLayerNormalization",
    "input x: float32[2,3,4]\nconst g: float32[4] = random(1)\ny = SimplifiedLayerNormalization(x, g) epsilon=0.001\nreturn y",
  ],
  [
    "MatMulNBits",
    "input a: float32[3,40]\nconst b: uint8[5,3,8] = random(1, 0, 255)\nconst s: float32[15] = random(2)\nconst z: uint8[10] = random(3, 0, 255)\ny = com.microsoft.MatMulNBits(a, b, s, z) K=40 N=5 bits=4 block_size=16\nw = com.microsoft.MatMulNBits(a, b, s) K=40 N=5 bits=4 block_size=16\nreturn y, w",
    { tolerance: 1e-3 },
  ],
];

describe("the interpreter and ONNX Runtime agree on", () => {
  for (const [name, text, options] of CASES) it(name, () => expectSameAsRuntime(text, options));

  for (const [name, text, options] of RESIZE) it(`Resize: ${name}`, () => expectSameAsRuntime(text, options));

  for (const [name, opset, text, options] of NEWER) {
    it(`${name} of opset ${opset}`, () => expectSameAsRuntime(`graph newer opset ${opset}\n${text}`, options));
  }

  for (const [name, text, options] of MICROSOFT) {
    it(`com.microsoft ${name}`, () => expectSameAsRuntime(`graph fused opset 21, com.microsoft 1\n${text}`, options));
  }
});
