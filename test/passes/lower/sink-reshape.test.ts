import { testPass } from "../../harness/pass.ts";

testPass(
  "lower/sink-reshape",
  [
    {
      name: "two functions in a row",
      before: `
        input x: float32[6,4]
        const s: int64[3] = [2, 3, 4]
        const g: float32[] = 0.5
        y = Reshape(x, s)
        a = Sigmoid(y)
        z = Mul(g, a)
        return z
      `,
      after: `
        input x: float32[6,4]
        const g: float32[] = 0.5
        const s: int64[3] = [2, 3, 4]
        "a/flat" = Sigmoid(x)
        "z/flat" = Mul(g, "a/flat")
        z = Reshape("z/flat", s)
        return z
      `,
    },
  ],
  [
    {
      name: "the Reshape is read twice",
      graph: `
        input x: float32[6,4]
        const s: int64[3] = [2, 3, 4]
        y = Reshape(x, s)
        z = Sigmoid(y)
        return y, z
      `,
    },
    {
      name: "a vector beside it",
      graph: `
        input x: float32[6,4]
        const s: int64[3] = [2, 3, 4]
        const v: float32[4] = random(1)
        y = Reshape(x, s)
        z = Mul(y, v)
        return z
      `,
    },
  ],
);
