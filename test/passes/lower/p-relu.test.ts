import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/p-relu",
  [
    {
      name: "slopes up to 1",
      graph: `
        input x: float32[2,3,4]
        const s: float32[3,1] = [0.25, 1, -0.5]
        y = PRelu(x, s)
        return y
      `,
      ops: "Mul Max",
    },
    {
      name: "a slope beyond 1",
      graph: `
        input x: float32[2,3,4]
        const s: float32[3,1] = [0.25, 1.5, -0.5]
        y = PRelu(x, s)
        return y
      `,
      ops: "Relu Sub Mul Add",
    },
    {
      name: "slopes computed at run time",
      graph: `
        input x: float32[2,3,4]
        input s: float32[3,1]
        y = PRelu(x, s)
        return y
      `,
      ops: "Relu Sub Mul Add",
    },
  ],
  [
    {
      name: "one slope",
      graph: `
        input x: float32[2,3,4]
        const s: float32[1] = [0.25]
        y = PRelu(x, s)
        return y
      `,
    },
  ],
);
