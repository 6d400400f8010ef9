import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/einsum",
  [
    {
      name: "a batched product",
      graph: `
        input a: float32[2,3,4]
        input b: float32[2,5,4]
        y = Einsum(a, b) equation="bik,bjk->bij"
        return y
      `,
      ops: "Reshape Transpose Reshape MatMul Reshape Reshape",
    },
    {
      name: "labels in another order, and one that is summed alone",
      graph: `
        input a: float32[2,3,4,2]
        input b: float32[4,3,5]
        y = Einsum(a, b) equation="bhdz,dhe->ehb"
        return y
      `,
      ops: "ReduceSum Transpose Reshape Transpose Reshape MatMul Reshape Transpose Reshape",
    },
    {
      name: "an outer product",
      graph: `
        input a: float32[3]
        input b: float32[4]
        y = Einsum(a, b) equation="i,j->ij"
        return y
      `,
      ops: "Reshape Reshape MatMul Reshape Reshape",
    },
    {
      name: "one operand",
      graph: `
        input a: float32[2,3,4]
        y = Einsum(a) equation="abc->ca"
        return y
      `,
      ops: "ReduceSum Transpose Reshape",
    },
  ],
  [
    {
      name: "a diagonal",
      graph: `
        input a: float32[3,3]
        y = Einsum(a) equation="ii->i"
        return y
      `,
    },
    {
      name: "three operands",
      graph: `
        input a: float32[3,3]
        y = Einsum(a, a, a) equation="ij,jk,kl->il"
        return y
      `,
    },
  ],
);
