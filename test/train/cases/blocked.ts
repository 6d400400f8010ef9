/** Convolutions for kernels that take channels in blocks. */
import type { GradientCase } from "../../harness/gradient.ts";

/** Small ones, in blocks of 4: for finite differences. */
export const BLOCKED_CONVOLUTIONS: readonly GradientCase[] = [
  {
    name: "Conv in blocks",
    text: "y = Conv(x, w, b) pads=[1,1,1,1]",
    by: { x: [4, 2, 4, 3], w: [4, 2, 3, 3], b: [4] },
    block: 4,
  },
  {
    name: "Conv in blocks, strided, with a rest",
    text: "y = Conv(x, w) strides=[2,2] pads=[0,2,1,1]",
    by: { x: [8, 1, 6, 5], w: [4, 1, 3, 2] },
    block: 4,
  },
  {
    name: "Conv in blocks, dilated",
    text: "y = Conv(x, w) dilations=[2,1] pads=[2,0,1,1]",
    by: { x: [4, 2, 5, 4], w: [8, 2, 2, 3] },
    block: 4,
  },
  {
    name: "Conv in blocks, too few images",
    text: "y = Conv(x, w) pads=[1,1,1,1]",
    by: { x: [6, 2, 3, 3], w: [4, 2, 3, 3] },
    block: 4,
  },
];

/** As large as the kernels' own blocks want them: for ONNX Runtime. */
export const WIDE_CONVOLUTIONS: readonly GradientCase[] = [
  {
    name: "wide Conv",
    text: "y = Conv(x, w, b) pads=[1,1,1,1]",
    by: { x: [16, 16, 7, 6], w: [32, 16, 3, 3], b: [32] },
  },
  {
    name: "wide Conv, several parts of the batch",
    text: "y = Conv(x, w) pads=[1,1,1,1]",
    by: { x: [48, 8, 26, 26], w: [32, 8, 3, 3] },
  },
  {
    name: "wide Conv, strided",
    text: "y = Conv(x, w) strides=[2,2] pads=[1,1,1,1]",
    by: { x: [16, 20, 8, 9], w: [24, 20, 3, 3] },
  },
  {
    name: "wide Conv, asymmetric",
    text: "y = Conv(x, w, b) strides=[2,1] dilations=[1,2] pads=[0,2,1,1]",
    by: { x: [16, 24, 7, 9], w: [20, 24, 3, 2], b: [20] },
  },
  {
    name: "wide Conv of few channels",
    text: "y = Conv(x, w) pads=[1,1,1,1]",
    by: { x: [16, 3, 8, 8], w: [20, 3, 3, 3] },
  },
  {
    name: "wide Conv of odd channels",
    text: "y = Conv(x, w) pads=[1,1,1,1]",
    by: { x: [5, 18, 6, 6], w: [33, 18, 3, 3] },
  },
  {
    name: "wide Conv SAME_LOWER",
    text: 'y = Conv(x, w) auto_pad="SAME_LOWER" strides=[2,2]',
    by: { x: [16, 16, 6, 7], w: [16, 16, 3, 3] },
  },
  {
    name: "wide Conv depthwise",
    text: "y = Conv(x, w, b) group=24 pads=[1,1,1,1]",
    by: { x: [3, 24, 7, 6], w: [24, 1, 3, 3], b: [24] },
  },
  {
    name: "wide Conv depthwise, strided",
    text: "y = Conv(x, w) group=32 strides=[2,2] pads=[1,1,1,1]",
    by: { x: [2, 32, 8, 9], w: [32, 1, 3, 3] },
  },
  {
    name: "two wide Convs and what is between them",
    text: "h = Conv(x, w) pads=[1,1,1,1]\nr = Relu(h)\ny = Conv(r, v) pads=[1,1,1,1]",
    by: { x: [16, 16, 6, 6], w: [32, 16, 3, 3], v: [16, 32, 3, 3] },
  },
];

/** Products with sides of whole blocks. */
export const WIDE_PRODUCTS: readonly GradientCase[] = [
  { name: "wide MatMul", text: "y = MatMul(a, b)", by: { a: [64, 80], b: [80, 128] } },
  {
    name: "two wide layers",
    text: "p = MatMul(x, w)\nh = Add(p, b)\ng = Gelu(h)\nq = MatMul(g, v)\nz = Add(c, q)\ny = Add(z, x)",
    by: { x: [2, 48, 64], w: [64, 128], b: [128], v: [128, 64], c: [64] },
  },
  {
    name: "wide Gemm, both factors transposed",
    text: "y = Gemm(a, b, c) transA=1 transB=1",
    by: { a: [80, 64], b: [96, 80], c: [96] },
  },
  {
    name: "wide Gemm, the second factor transposed",
    text: "y = Gemm(a, b) transB=1",
    by: { a: [64, 80], b: [96, 80] },
  },
  { name: "wide Gemm with a column added", text: "y = Gemm(a, b, c)", by: { a: [64, 80], b: [80, 64], c: [64, 1] } },
  {
    name: "a value that two wide products read",
    text: "p = MatMul(x, w)\nt = Tanh(p)\nr = Reshape(t, s)\nq = MatMul(r, v)\nu = MatMul(t, k)\nm = Mul(t, t)",
    constants: ["s: int64[3] = [4, 16, 64]"],
    by: { x: [64, 64], w: [64, 64], v: [64, 80], k: [64, 96] },
  },
];
