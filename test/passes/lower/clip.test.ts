import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/clip",
  [
    {
      name: "a maximum with a number",
      graph: `
        input x: float32[2,3]
        const c: float32[1] = [0.5]
        y = Max(c, x)
        return y
      `,
      ops: "Clip",
    },
    {
      name: "a minimum with a number",
      graph: `
        input x: float32[2,3]
        const c: float32[] = [0.5]
        y = Min(x, c)
        return y
      `,
      ops: "Clip",
    },
    {
      name: "bounds computed at run time",
      graph: `
        input x: float32[2,3]
        input a: float32[]
        input b: float32[]
        y = Clip(x, a, b)
        return y
      `,
      ops: "Max Min",
    },
    {
      name: "one bound computed, the other none",
      graph: `
        input x: float32[2,3]
        input a: float32[]
        const b: float32[] = [3.4028235e38]
        y = Clip(x, a, b)
        return y
      `,
      ops: "Max",
    },
  ],
  [
    {
      name: "a maximum of values",
      graph: `
        input a: float32[2,3]
        input b: float32[2,3]
        y = Max(a, b)
        return y
      `,
    },
    {
      name: "a number that widens the value",
      graph: `
        input x: float32[3]
        const c: float32[1,1] = [0.5]
        y = Max(x, c)
        return y
      `,
    },
  ],
);
