import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/mask",
  [
    {
      name: "the least number",
      graph: `
        input x: float32[2,3]
        const m: float32[3] = [0, -3.4e38, -0.5]
        a = Add(x, m)
        y = Softmax(a)
        return y
      `,
      ops: "Add Softmax",
    },
  ],
  [
    {
      name: "offsets of scores",
      graph: `
        input x: float32[2,3]
        const m: float32[3] = [0, -200, -2000]
        a = Add(x, m)
        y = Softmax(a)
        return y
      `,
    },
    {
      name: "a shift",
      graph: `
        input x: float32[2,3]
        const m: float32[3] = [0, -2, -3]
        a = Add(x, m)
        y = Softmax(a)
        return y
      `,
    },
  ],
);
