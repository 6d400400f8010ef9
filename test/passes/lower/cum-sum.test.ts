import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/cum-sum",
  [
    {
      name: "along the last axis",
      graph: `
        input x: float32[2,5]
        const a: int64[] = [-1]
        y = CumSum(x, a)
        return y
      `,
      ops: "MatMul",
    },
    {
      name: "from the end, without itself, along another",
      graph: `
        input x: float32[2,5,3]
        const a: int64[] = [1]
        y = CumSum(x, a) exclusive=1 reverse=1
        return y
      `,
      ops: "Transpose MatMul Transpose",
    },
    {
      name: "of a vector",
      graph: `
        input x: float32[5]
        const a: int64[] = [0]
        y = CumSum(x, a)
        return y
      `,
      ops: "Reshape MatMul Reshape",
    },
  ],
  [
    {
      name: "integers",
      graph: `
        input x: int64[2,5]
        const a: int64[] = [-1]
        y = CumSum(x, a)
        return y
      `,
    },
  ],
);
