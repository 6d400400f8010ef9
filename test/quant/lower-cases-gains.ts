/** Linear operators whose channels a constant scales behind their activation, for lower.test.ts. */
import type { LoweringCase } from "./lower-cases.ts";

const FACTORS = "[0.03, 2.5, 1.0, 0.4]";

function convolution(name: string, ...activations: readonly string[]): LoweringCase {
  return {
    name: `${name}, then a factor a channel`,
    graph: `
      input x: float32[1,3,6,6]
      const w: float32[4,3,3,3] = random(1)
      const b: float32[4] = random(2)
      const g: float32[4,1,1] = ${FACTORS}
      a0 = Conv(x, w, b) pads=[1,1,1,1]
      ${activations.join("\n")}
      y = Mul(a${activations.length}, g)
      return y
    `,
  };
}

export const GAINS: readonly LoweringCase[] = [
  convolution("Conv"),
  convolution("Relu", "a1 = Relu(a0)"),
  convolution("Sigmoid", "a1 = Sigmoid(a0)"),
  convolution("HardSwish", "a1 = HardSwish(a0)"),
  {
    name: "Clip on a Conv, then a factor a channel",
    graph: `
      input x: float32[1,3,6,6]
      const w: float32[4,3,1,1] = random(1)
      const low: float32[] = [-0.25]
      const high: float32[] = [0.5]
      const g: float32[1,4,1,1] = ${FACTORS}
      c = Conv(x, w)
      a = Clip(c, low, high)
      y = Mul(g, a)
      return y
    `,
  },
  {
    name: "Relu on a ConvTranspose, then a factor a channel",
    graph: `
      input x: float32[1,2,5,5]
      const w: float32[2,2,2,2] = random(1)
      const g: float32[4,1,1] = ${FACTORS}
      c = ConvTranspose(x, w) group=2 strides=[2,2]
      a = Relu(c)
      y = Mul(a, g)
      return y
    `,
  },
  {
    name: "Tanh on a Gemm, then a factor a column",
    graph: `
      input x: float32[3,8]
      const w: float32[8,4] = random(1)
      const g: float32[4] = ${FACTORS}
      c = Gemm(x, w) alpha=0.5
      a = Tanh(c)
      y = Mul(a, g)
      return y
    `,
  },
  {
    name: "MatMul with weights, then a factor a column and a Relu",
    graph: `
      input x: float32[2,3,8]
      const w: float32[8,4] = random(1)
      const g: float32[4] = ${FACTORS}
      c = MatMul(x, w)
      m = Mul(c, g)
      y = Relu(m)
      return y
    `,
  },
];
