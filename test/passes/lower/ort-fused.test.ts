import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/ort-fused",
  [
    {
      name: "a residual norm",
      graph: `
        graph opset 21, com.microsoft 1
        input x: float32[1,3,8]
        input z: float32[1,3,8]
        const g: float32[8] = random(1)
        const b: float32[8] = random(2)
        const c: float32[8] = random(3)
        y, _, _, s = com.microsoft.SkipLayerNormalization(x, z, g, b, c) epsilon=0.001
        return y, s
      `,
      ops: "Add Add LayerNormalization",
    },
    {
      name: "a residual RMS norm",
      graph: `
        graph opset 21, com.microsoft 1
        input x: float32[1,3,8]
        input z: float32[1,3,8]
        const g: float32[8] = random(1)
        y = com.microsoft.SkipSimplifiedLayerNormalization(x, z, g)
        return y
      `,
      ops: "Add RMSNormalization",
    },
    {
      name: "a bias and a GELU",
      graph: `
        graph opset 21, com.microsoft 1
        input x: float32[3,8]
        const b: float32[8] = random(1)
        y = com.microsoft.BiasGelu(x, b)
        return y
      `,
      ops: "Add Gelu",
    },
    {
      name: "a scaled product",
      graph: `
        graph opset 21, com.microsoft 1
        input x: float32[2,3,8]
        input z: float32[2,5,8]
        y = com.microsoft.FusedMatMul(x, z) transB=1 alpha=0.25
        return y
      `,
      ops: "Transpose MatMul Mul",
    },
    {
      name: "a product with weights of 4 bits",
      graph: `
        graph opset 21, com.microsoft 1
        input x: float32[2,40]
        const w: uint8[6,3,8] = random(1)
        const s: float32[18] = random(2, 0.1, 1)
        const z: uint8[12] = random(3)
        const b: float32[6] = random(4)
        y = com.microsoft.MatMulNBits(x, w, s, z, _, b) K=40 N=6 bits=4 block_size=16
        return y
      `,
      ops: "MatMul Add",
    },
    {
      name: "a product with weights of 8 bits",
      graph: `
        graph opset 21, com.microsoft 1
        input x: float32[2,32]
        const w: uint8[3,2,16] = random(1)
        const s: float32[6] = random(2, 0.1, 1)
        y = com.microsoft.MatMulNBits(x, w, s) K=32 N=3 bits=8 block_size=16
        return y
      `,
      ops: "MatMul",
    },
  ],
  [
    {
      name: "statistics that somebody reads",
      graph: `
        graph opset 21, com.microsoft 1
        input x: float32[1,3,8]
        const g: float32[8] = random(1)
        y, m = com.microsoft.SkipLayerNormalization(x, x, g)
        return y, m
      `,
    },
    {
      name: "weights that are computed",
      graph: `
        graph opset 21, com.microsoft 1
        input x: float32[2,32]
        input w: uint8[3,2,8]
        const s: float32[6] = random(2, 0.1, 1)
        y = com.microsoft.MatMulNBits(x, w, s) K=32 N=3 bits=4 block_size=16
        return y
      `,
    },
  ],
);
