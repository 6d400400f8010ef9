import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/gemm",
  [
    {
      name: "a bias computed at run time",
      graph: `
        input x: float32[3,4]
        input c: float32[3,5]
        const w: float32[4,5] = random(1)
        y = Gemm(x, w, c) alpha=0.5 beta=2.0
        return y
      `,
      ops: "Gemm Mul Add",
    },
    {
      name: "a matrix of biases, and a transposed input",
      graph: `
        input x: float32[4,3]
        const c: float32[3,5] = random(2)
        const w: float32[5,4] = random(1)
        y = Gemm(x, w, c) transA=1 transB=1
        return y
      `,
      ops: "Transpose Gemm Add",
    },
    {
      name: "weights computed at run time",
      graph: `
        input x: float32[3,4]
        input w: float32[5,4]
        const c: float32[5] = random(2)
        y = Gemm(x, w, c) transB=1 beta=0.5
        return y
      `,
      ops: "Transpose MatMul Add",
    },
    {
      name: "a product alone",
      graph: `
        input x: float32[3,4]
        input w: float32[4,5]
        y = Gemm(x, w)
        return y
      `,
      ops: "MatMul",
    },
    {
      name: "factors of constants",
      graph: `
        input x: float32[4,3]
        const w: float32[5,4] = random(1)
        const c: float32[5] = random(2)
        y = Gemm(x, w, c) transA=1 transB=1 alpha=0.5 beta=-3.0
        return y
      `,
      ops: "Transpose Gemm",
    },
    {
      name: "a negative factor of what is computed",
      graph: `
        input x: float32[3,4]
        input w: float32[4,5]
        y = Gemm(x, w) alpha=-1.0
        return y
      `,
      ops: "MatMul Mul",
    },
    {
      name: "a negative factor",
      graph: `
        input x: float32[3,4]
        const w: float32[4,5] = random(1)
        y = Gemm(x, w) alpha=-1.0
        return y
      `,
      ops: "Gemm",
    },
  ],
  [
    {
      name: "what the array computes",
      graph: `
        input x: float32[4,3]
        const w: float32[4,5] = random(1)
        const c: float32[1,5] = random(2)
        y = Gemm(x, w, c) transA=1
        return y
      `,
    },
  ],
);
