import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/select",
  [
    {
      name: "Greater and a selection",
      graph: `
        input a: float32[2,3]
        input b: float32[2,3]
        c = Greater(a, b)
        y = Where(c, a, b)
        return y
      `,
      ops: "Sub Mul Clip Mul Sub Mul Add",
    },
    {
      name: "equality as a number",
      graph: `
        input a: float32[2,3]
        k = Round(a)
        const zero: float32[] = [0]
        c = Equal(k, zero)
        y = Cast(c) to=1
        return y
      `,
      ops: "Round Sub Mul Clip Abs Sub Identity",
    },
    {
      name: "logic",
      graph: `
        input a: float32[2,3]
        input b: float32[3]
        const zero: float32[] = [0]
        c = LessOrEqual(a, zero)
        d = GreaterOrEqual(b, zero)
        e = And(c, d)
        f = Not(e)
        g = Or(f, c)
        y = Where(g, a, zero)
        return y
      `,
      ops: "Sub Mul Clip Sub Sub Mul Clip Sub Mul Sub Max Mul Identity",
    },
    {
      name: "a constant condition",
      graph: `
        input a: float32[2,3]
        const c: bool[3] = [1, 0, 1]
        const k: float32[] = [2.5]
        y = Where(c, a, k)
        return y
      `,
      ops: "Identity Mul Sub Mul Add",
    },
  ],
  [
    {
      name: "a comparison of integers",
      graph: `
        input a: int64[3]
        input x: float32[3]
        c = Equal(a, a)
        y = Where(c, x, x)
        return y
      `,
    },
    {
      name: "a condition that is fed",
      graph: `
        input c: bool[3]
        input x: float32[3]
        y = Where(c, x, x)
        return y
      `,
    },
  ],
);
