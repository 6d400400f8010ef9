import type { GradientCase } from "../../harness/gradient.ts";

export const PRODUCTS: readonly GradientCase[] = [
  { name: "MatMul", text: "y = MatMul(a, b)", by: { a: [3, 4], b: [4, 2] } },
  { name: "MatMul stack by matrix", text: "y = MatMul(a, b)", by: { a: [2, 3, 4], b: [4, 2] } },
  { name: "MatMul stacks", text: "y = MatMul(a, b)", by: { a: [2, 3, 4], b: [2, 4, 2] } },
  { name: "MatMul broadcast", text: "y = MatMul(a, b)", by: { a: [2, 1, 3, 4], b: [3, 4, 2] } },
  { name: "MatMul matrix by stack", text: "y = MatMul(a, b)", by: { a: [3, 4], b: [2, 4, 2] } },
  { name: "MatMul row", text: "y = MatMul(a, b)", by: { a: [4], b: [4, 2] } },
  { name: "MatMul column", text: "y = MatMul(a, b)", by: { a: [2, 3, 4], b: [4] } },
  { name: "MatMul dot", text: "y = MatMul(a, b)", by: { a: [4], b: [4] } },
  { name: "MatMul of ones", text: "y = MatMul(a, b)", by: { a: [1, 1], b: [1, 1] } },
  { name: "MatMul of nothing", text: "y = MatMul(a, b)", by: { a: [0, 3], b: [3, 2] } },
  ...[0, 1].flatMap((transA) =>
    [0, 1].map(
      (transB): GradientCase => ({
        name: `Gemm ${transA}${transB}`,
        text: `y = Gemm(a, b, c) transA=${transA} transB=${transB} alpha=0.7 beta=1.3`,
        by: { a: transA ? [4, 3] : [3, 4], b: transB ? [2, 4] : [4, 2], c: transA ? [2] : [3, 1] },
      }),
    ),
  ),
  { name: "Einsum product", text: 'y = Einsum(a, b) equation="bij,bjk->bik"', by: { a: [2, 3, 4], b: [2, 4, 2] } },
  {
    name: "Einsum with a sum of its own",
    text: 'y = Einsum(a, b) equation="ijs,jk->ki"',
    by: { a: [2, 3, 2], b: [3, 2] },
  },
  { name: "Einsum of one", text: 'y = Einsum(a) equation="ij->j"', by: { a: [2, 3] } },
  {
    name: "FusedMatMul",
    text: "y = com.microsoft.FusedMatMul(a, b) transA=1 alpha=0.5",
    by: { a: [2, 4, 3], b: [2, 4, 2] },
  },
  {
    name: "FusedMatMul with batches moved",
    text: "y = com.microsoft.FusedMatMul(a, b) transBatchA=1 transB=1",
    by: { a: [3, 2, 4], b: [2, 5, 4] },
  },
  { name: "Gemm plain", text: "y = Gemm(a, b, c)", by: { a: [3, 4], b: [4, 2], c: [] } },
];

export const CONVOLUTIONS: readonly GradientCase[] = [
  { name: "Conv 3×3", text: "y = Conv(x, w, b) pads=[1,1,1,1]", by: { x: [2, 3, 5, 4], w: [2, 3, 3, 3], b: [2] } },
  { name: "Conv pointwise", text: "y = Conv(x, w, b)", by: { x: [2, 3, 3, 2], w: [4, 3, 1, 1], b: [4] } },
  { name: "Conv pointwise strided", text: "y = Conv(x, w) strides=[2,2]", by: { x: [2, 3, 5, 4], w: [4, 3, 1, 1] } },
  {
    name: "Conv strided",
    text: "y = Conv(x, w) strides=[2,2] pads=[1,1,1,1]",
    by: { x: [2, 2, 6, 5], w: [3, 2, 3, 3] },
  },
  {
    name: "Conv with asymmetric pads",
    text: "y = Conv(x, w) strides=[2,1] pads=[0,2,1,1]",
    by: { x: [1, 2, 6, 5], w: [2, 2, 3, 2] },
  },
  {
    name: "Conv dilated",
    text: "y = Conv(x, w) dilations=[2,2] pads=[2,1,2,1]",
    by: { x: [1, 2, 6, 5], w: [2, 2, 2, 3] },
  },
  {
    name: "Conv dilated and strided",
    text: "y = Conv(x, w) dilations=[2,1] strides=[2,3] pads=[1,0,0,1]",
    by: { x: [1, 2, 8, 7], w: [2, 2, 3, 2] },
  },
  {
    name: "Conv grouped",
    text: "y = Conv(x, w, b) group=2 pads=[1,1,1,1]",
    by: { x: [2, 4, 4, 3], w: [6, 2, 3, 3], b: [6] },
  },
  {
    name: "Conv grouped and strided",
    text: "y = Conv(x, w) group=2 strides=[2,2] pads=[1,1,1,1]",
    by: { x: [1, 4, 5, 5], w: [2, 2, 3, 3] },
  },
  { name: "Conv depthwise", text: "y = Conv(x, w) group=3 pads=[1,1,1,1]", by: { x: [2, 3, 4, 5], w: [3, 1, 3, 3] } },
  {
    name: "Conv depthwise strided",
    text: "y = Conv(x, w) group=3 strides=[2,2] pads=[1,1,1,1]",
    by: { x: [2, 3, 6, 5], w: [3, 1, 3, 3] },
  },
  {
    name: "Conv depthwise dilated",
    text: "y = Conv(x, w) group=3 dilations=[2,2] pads=[2,2,2,2]",
    by: { x: [1, 3, 5, 5], w: [3, 1, 3, 3] },
  },
  {
    name: "Conv depthwise, two filters a channel",
    text: "y = Conv(x, w) group=2 pads=[1,1,1,1]",
    by: { x: [2, 2, 4, 4], w: [4, 1, 3, 3] },
  },
  { name: "Conv in one dimension", text: "y = Conv(x, w) strides=[2] pads=[1,0]", by: { x: [2, 2, 7], w: [3, 2, 3] } },
  {
    name: "Conv in three dimensions",
    text: "y = Conv(x, w) pads=[1,0,0,0,1,0]",
    by: { x: [1, 1, 3, 3, 3], w: [2, 1, 2, 2, 3] },
  },
  { name: "Conv of ones", text: "y = Conv(x, w)", by: { x: [1, 1, 1, 1], w: [1, 1, 1, 1] } },
  { name: "Conv of no image", text: "y = Conv(x, w) pads=[1,1,1,1]", by: { x: [0, 2, 4, 4], w: [3, 2, 3, 3] } },
  {
    name: "Conv SAME_UPPER",
    text: 'y = Conv(x, w) auto_pad="SAME_UPPER" strides=[2,2]',
    by: { x: [1, 2, 5, 4], w: [2, 2, 3, 3] },
  },
  {
    name: "Conv with more padding than its kernel reaches",
    text: "y = Conv(x, w) pads=[2,2,2,2]",
    by: { x: [1, 1, 3, 3], w: [2, 1, 2, 2] },
  },
];
