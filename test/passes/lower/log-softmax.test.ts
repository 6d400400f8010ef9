import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/log-softmax",
  [
    {
      name: "over the last axis",
      graph: `
        input x: float32[2,5]
        y = LogSoftmax(x)
        return y
      `,
      ops: "ReduceMax Sub Exp ReduceSum Log Sub",
    },
    {
      name: "over a middle axis",
      graph: `
        input x: float32[2,5,3]
        y = LogSoftmax(x) axis=1
        return y
      `,
      ops: "ReduceMax Sub Exp ReduceSum Log Sub",
    },
  ],
  [
    {
      name: "a softmax",
      graph: `
        input x: float32[2,5]
        y = Softmax(x)
        return y
      `,
    },
  ],
);
