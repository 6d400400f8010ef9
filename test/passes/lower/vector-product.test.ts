import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/vector-product",
  [
    {
      name: "a vector on the left",
      graph: `
        input a: float32[4]
        input b: float32[2,4,3]
        y = MatMul(a, b)
        return y
      `,
      ops: "Reshape MatMul Reshape",
    },
    {
      name: "a vector on the right",
      graph: `
        input a: float32[2,3,4]
        const b: float32[4] = random(1)
        y = MatMul(a, b)
        return y
      `,
      ops: "Reshape MatMul Reshape",
    },
    {
      name: "two vectors",
      graph: `
        input a: float32[4]
        input b: float32[4]
        y = MatMul(a, b)
        return y
      `,
      ops: "Reshape Reshape MatMul Reshape",
    },
  ],
  [
    {
      name: "matrices",
      graph: `
        input a: float32[3,4]
        input b: float32[4,3]
        y = MatMul(a, b)
        return y
      `,
    },
  ],
);
