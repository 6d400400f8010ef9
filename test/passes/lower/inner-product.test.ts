import { testPass } from "../../harness/pass.ts";

testPass(
  "lower/inner-product",
  [
    {
      name: "rank 3 with a bias",
      before: `
        input x: float32[2,3,4]
        const w: float32[4,5] = random(1)
        const b: float32[5] = random(2)
        y = MatMul(x, w)
        z = Add(y, b)
        return z
      `,
      after: `
        input x: float32[2,3,4]
        const w: float32[4,5] = zeros
        const b: float32[5] = zeros
        const z_shape: int64[2] = [6, 4]
        const z_shape_1: int64[3] = [2, 3, 5]
        x/rows = Reshape(x, z_shape)
        z/rows = Gemm(x/rows, w, b)
        z = Reshape(z/rows, z_shape_1)
        return z
      `,
    },
    {
      name: "rank 2 without a bias",
      before: `
        input x: float32[3,4]
        const w: float32[4,5] = random(1)
        z = MatMul(x, w)
        return z
      `,
      after: `
        input x: float32[3,4]
        const w: float32[4,5] = zeros
        z = Gemm(x, w)
        return z
      `,
    },
  ],
  [
    {
      name: "weights computed at run time",
      graph: `
        input x: float32[3,4]
        input w: float32[4,5]
        z = MatMul(x, w)
        return z
      `,
    },
  ],
);
