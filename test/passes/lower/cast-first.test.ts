import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/cast-first",
  [
    {
      name: "behind a Reshape and an Expand",
      graph: `
        input m: int64[1,4]
        const s: int64[4] = [1,1,1,4]
        const e: int64[4] = [1,1,3,4]
        a = Reshape(m, s)
        b = Expand(a, e)
        y = Cast(b) to=1
        return y
      `,
      ops: "Cast Reshape Expand",
    },
    {
      name: "behind a Transpose",
      graph: `
        input m: int32[2,4]
        a = Transpose(m) perm=[1,0]
        y = Cast(a) to=1
        return y
      `,
      ops: "Cast Transpose",
    },
  ],
  [
    {
      name: "integers that are read as such too",
      graph: `
        input m: int64[1,4]
        const s: int64[2] = [4,1]
        a = Reshape(m, s)
        y = Cast(a) to=1
        return y, a
      `,
    },
    {
      name: "real numbers",
      graph: `
        input m: float32[1,4]
        const s: int64[2] = [4,1]
        a = Reshape(m, s)
        y = Cast(a) to=7
        return y
      `,
    },
  ],
);
