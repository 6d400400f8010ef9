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
  ],
);
