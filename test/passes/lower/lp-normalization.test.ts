import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/lp-normalization",
  [
    {
      name: "lengths",
      graph: `
        input x: float32[2,5]
        y = LpNormalization(x)
        return y
      `,
      ops: "RMSNormalization",
    },
    {
      name: "lengths over a middle axis",
      graph: `
        input x: float32[2,5,3]
        y = LpNormalization(x) axis=1
        return y
      `,
      ops: "Transpose RMSNormalization Transpose",
    },
    {
      name: "sums of magnitudes",
      graph: `
        input x: float32[2,5]
        y = LpNormalization(x) p=1
        return y
      `,
      ops: "Abs ReduceSum Clip Div",
    },
  ],
  [
    {
      name: "doubles",
      graph: `
        input x: float64[2,5]
        y = LpNormalization(x)
        return y
      `,
    },
  ],
);
