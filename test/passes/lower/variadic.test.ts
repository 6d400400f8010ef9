import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/variadic",
  [
    {
      name: "a sum of three",
      graph: `
        input a: float32[2,3]
        input b: float32[3]
        input c: float32[2,1]
        y = Sum(a, b, c)
        return y
      `,
      ops: "Add Add",
    },
    {
      name: "a mean",
      graph: `
        input a: float32[2,3]
        input b: float32[3]
        input c: float32[2,1]
        y = Mean(a, b, c)
        return y
      `,
      ops: "Add Add Mul",
    },
    {
      name: "a sum of one",
      graph: `
        input a: float32[2,3]
        y = Sum(a)
        return y
      `,
      ops: "Identity",
    },
  ],
  [
    {
      name: "doubles",
      graph: `
        input a: float64[2,3]
        y = Sum(a, a)
        return y
      `,
    },
  ],
);
