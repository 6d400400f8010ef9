import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/attention",
  [
    {
      name: "four axes, a mask",
      graph: `
        graph opset 23
        input q: float32[1,2,3,4]
        input k: float32[1,2,5,4]
        input v: float32[1,2,5,6]
        const m: float32[3,5] = random(1)
        y = Attention(q, k, v, m)
        return y
      `,
      ops: "Mul Transpose MatMul Add Softmax MatMul",
    },
    {
      name: "three axes, shared keys, causal",
      graph: `
        graph opset 23
        input q: float32[2,5,16]
        input k: float32[2,5,8]
        input v: float32[2,5,4]
        y = Attention(q, k, v) q_num_heads=4 kv_num_heads=2 is_causal=1 scale=0.5
        return y
      `,
      ops: "Reshape Transpose Mul Reshape Transpose Reshape Concat Reshape Transpose MatMul Add Softmax Reshape Transpose Reshape Concat Reshape MatMul Transpose Reshape",
    },
  ],
  [
    {
      name: "a cap",
      graph: `
        graph opset 23
        input q: float32[1,2,3,4]
        y = Attention(q, q, q) softcap=5.0
        return y
      `,
    },
  ],
);
