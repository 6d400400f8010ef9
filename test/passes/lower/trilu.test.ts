import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/trilu",
  [
    {
      name: "the upper triangle, one above the diagonal",
      graph: `
        input x: float32[2,3,4]
        const k: int64[] = [1]
        y = Trilu(x, k)
        return y
      `,
      ops: "Mul",
    },
    {
      name: "the lower triangle",
      graph: `
        input x: float32[4,3]
        y = Trilu(x) upper=0
        return y
      `,
      ops: "Mul",
    },
  ],
  [
    {
      name: "integers",
      graph: `
        input x: int64[4,3]
        y = Trilu(x)
        return y
      `,
    },
  ],
);
