import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/if",
  [
    {
      name: "branches of one shape",
      graph: `
        input x: float32[2,3]
        const limit: float32[] = [0.5]
        const axes: int64[2] = [0, 1]
        m = ReduceMax(x, axes) keepdims=0
        c = Greater(m, limit)
        y = If(c) then_branch={
        a = Relu(x)
        return a
        } else_branch={
        return x
        }
        return y
      `,
      ops: "ReduceMax Greater Relu Identity Where",
    },
  ],
  [
    {
      name: "branches of different shapes",
      graph: `
        input x: float32[2,3]
        input c: bool[]
        y = If(c) then_branch={
        const k: int64[1] = [6]
        a = Reshape(x, k)
        return a
        } else_branch={
        return x
        }
        return y
      `,
    },
  ],
);
