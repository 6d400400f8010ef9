import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/lrn",
  [
    {
      name: "neighbouring channels",
      graph: `
        input x: float32[1,6,3,3]
        y = LRN(x) size=4 alpha=0.5 beta=0.6 bias=2.0
        return y
      `,
      ops: "Mul Conv Pow Mul",
    },
  ],
  [
    {
      name: "one axis",
      graph: `
        input x: float32[1,6,3]
        y = LRN(x) size=3
        return y
      `,
    },
  ],
);
