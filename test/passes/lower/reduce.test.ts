import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/reduce",
  [
    {
      name: "L1",
      graph: `
        input x: float32[2,3,4]
        const axes: int64[1] = [1]
        y = ReduceL1(x, axes)
        return y
      `,
      ops: "Abs ReduceSum",
    },
    {
      name: "L2",
      graph: `
        input x: float32[2,3,4]
        const axes: int64[2] = [0,-1]
        y = ReduceL2(x, axes) keepdims=0
        return y
      `,
      ops: "Mul ReduceSum Sqrt",
    },
    {
      name: "squares",
      graph: `
        input x: float32[2,3,4]
        y = ReduceSumSquare(x)
        return y
      `,
      ops: "Mul ReduceSum",
    },
    {
      name: "the logarithm of a sum",
      graph: `
        input x: float32[2,3,4]
        const axes: int64[1] = [2]
        a = Abs(x)
        y = ReduceLogSum(a, axes) keepdims=0
        return y
      `,
      ops: "Abs ReduceSum Log",
    },
    {
      name: "the logarithm of a sum of exponentials",
      graph: `
        input x: float32[2,3,4]
        const axes: int64[1] = [2]
        y = ReduceLogSumExp(x, axes) keepdims=0
        return y
      `,
      ops: "ReduceMax Sub Exp ReduceSum Log Reshape Add",
    },
    {
      name: "a product of five",
      graph: `
        input x: float32[2,5]
        const axes: int64[1] = [1]
        y = ReduceProd(x, axes) keepdims=0
        return y
      `,
      ops: "Slice Slice Slice Slice Slice Mul Mul Mul Mul Reshape",
    },
  ],
  [
    {
      name: "the length of a short vector, which the chip has",
      graph: `
        input x: float32[3,4]
        const axes: int64[1] = [0]
        y = ReduceL2(x, axes)
        return y
      `,
    },
    {
      name: "a long product",
      graph: `
        input x: float32[2,17]
        const axes: int64[1] = [1]
        y = ReduceProd(x, axes)
        return y
      `,
    },
  ],
);
