/** Graphs of one operator each, for lower.test.ts: every operator with an integer form is in one of them. */
export interface LoweringCase {
  readonly name: string;
  readonly graph: string;
  /** Output steps that the integers may be away from real arithmetic on the same codes, by activation type. */
  readonly steps?: { readonly int8?: number; readonly int16?: number };
  /** max|Δ| / max|y| that the integers may be away from the float graph, by activation type. */
  readonly error?: { readonly int8?: number; readonly int16?: number };
}

const UNARY = [
  "Relu",
  "Sigmoid",
  "Tanh",
  "HardSwish",
  "HardSigmoid",
  "LeakyRelu alpha=0.1",
  "Elu",
  "Selu",
  "Gelu",
  "Softplus",
  "Mish",
  "Erf",
  "Exp",
  "Abs",
  "Neg",
  "Sin",
  "Cos",
  "Floor",
  "Softsign",
  "Celu",
  "ThresholdedRelu alpha=0.5",
]; // prettier-ignore

/** Functions that jump are off by their jump where a step lies across it. */
const JUMPS = new Set(["Floor", "ThresholdedRelu"]);

function unary(line: string): LoweringCase[] {
  const [op, ...attributes] = line.split(" ");
  const call = (argument: string) => `y = ${op}(${argument}) ${attributes.join(" ")}`;
  const jumps = JUMPS.has(op);
  return [
    {
      name: op,
      graph: `
        input x: float32[2,3,5]
        ${call("x")}
        return y
      `,
      steps: jumps ? { int8: 300, int16: 40000 } : {},
      error: jumps ? { int8: 0.4, int16: 0.4 } : {},
    },
    {
      name: `${op} riding on a Conv`,
      graph: `
        input x: float32[1,3,6,6]
        const w: float32[4,3,1,1] = random(1)
        const b: float32[4] = random(2)
        c = Conv(x, w, b)
        ${call("c")}
        return y
      `,
      steps: jumps ? { int8: 300, int16: 40000 } : { int16: 32 },
      error: jumps ? { int8: 0.4, int16: 0.4 } : {},
    },
  ];
}

export const CASES: readonly LoweringCase[] = [
  ...UNARY.flatMap(unary),
  {
    name: "Conv",
    graph: `
      input x: float32[2,4,7,7]
      const w: float32[6,2,3,3] = random(1)
      const b: float32[6] = random(2)
      y = Conv(x, w, b) group=2 strides=[2,1] pads=[1,0,2,1] dilations=[1,2]
      return y
    `,
  },
  {
    name: "Conv with a channel of next to nothing and a bias",
    graph: `
      input x: float32[1,1,3,3]
      const w: float32[2,1,1,1] = [1e-9, 1]
      const b: float32[2] = [-1.5, 0.5]
      y = Conv(x, w, b)
      return y
    `,
  },
  {
    name: "Conv over one axis",
    graph: `
      input x: float32[2,4,9]
      const w: float32[6,4,3] = random(1)
      y = Conv(x, w) pads=[2,0]
      return y
    `,
  },
  {
    name: "depthwise Conv",
    graph: `
      input x: float32[1,5,6,6]
      const w: float32[5,1,3,3] = random(1)
      const b: float32[5] = random(2)
      y = Conv(x, w, b) group=5 pads=[1,1,1,1]
      return y
    `,
  },
  {
    name: "ConvTranspose",
    graph: `
      input x: float32[1,4,5,5]
      const w: float32[4,3,3,3] = random(1)
      const b: float32[6] = random(2)
      c = ConvTranspose(x, w, b) group=2 strides=[2,2] pads=[1,1,1,1] output_padding=[1,0]
      y = Relu(c)
      return y
    `,
  },
  {
    name: "Gemm",
    graph: `
      input x: float32[3,8]
      const w: float32[5,8] = random(1)
      const b: float32[5] = random(2)
      y = Gemm(x, w, b) transB=1 alpha=0.5 beta=2.0
      return y
    `,
  },
  {
    name: "Gemm of a transposed input",
    graph: `
      input x: float32[8,3]
      const w: float32[8,5] = random(1)
      y = Gemm(x, w) transA=1
      return y
    `,
  },
  {
    name: "MatMul with weights",
    graph: `
      input x: float32[2,3,8]
      const w: float32[8,5] = random(1)
      y = MatMul(x, w)
      return y
    `,
  },
  {
    name: "MatMul of two values",
    // The array takes 8 bits of the second operand.
    steps: { int16: 400 },
    graph: `
      input x: float32[2,3,8]
      input z: float32[2,8,5]
      y = MatMul(x, z)
      return y
    `,
  },
  {
    name: "MatMul of one value and itself",
    steps: { int16: 400 },
    graph: `
      input x: float32[2,3,3]
      y = MatMul(x, x)
      return y
    `,
  },
  {
    name: "attention",
    graph: `
      input q: float32[1,2,4,8]
      input k: float32[1,2,8,4]
      input v: float32[1,2,4,8]
      s = MatMul(q, k)
      p = Softmax(s)
      y = MatMul(p, v)
      return y
    `,
    // The weights stay unnormalised, finer than the 1/255 of the comparison.
    steps: { int8: 8, int16: 1500 },
    error: { int16: 0.04 },
  },
  {
    name: "Softmax",
    graph: `
      input x: float32[3,7]
      y = Softmax(x)
      return y
    `,
  },
  {
    name: "Softmax over a middle axis",
    graph: `
      input x: float32[2,5,3]
      y = Softmax(x) axis=1
      return y
    `,
  },
  {
    name: "LayerNormalization",
    graph: `
      input x: float32[3,16]
      const g: float32[16] = random(1)
      const b: float32[16] = random(2)
      y = LayerNormalization(x, g, b)
      return y
    `,
  },
  {
    name: "RMSNormalization",
    graph: `
      graph opset 23
      input x: float32[3,16]
      const g: float32[16] = random(1)
      y = RMSNormalization(x, g)
      return y
    `,
  },
  ...["Add", "Sub", "Mul", "Max", "Min"].map((op) => ({
    name: op,
    graph: `
      input a: float32[2,3,4]
      input b: float32[3,1]
      y = ${op}(a, b)
      return y
    `,
  })),
  {
    name: "Add of sizes apart",
    graph: `
      input a: float32[2,3,4]
      input b: float32[2,3,4]
      const s: float32[] = [0.01]
      t = Mul(b, s)
      y = Add(a, t)
      return y
    `,
  },
  {
    name: "Add of a constant",
    graph: `
      input a: float32[2,3,4]
      const b: float32[3,4] = random(1)
      y = Add(a, b)
      return y
    `,
  },
  {
    name: "Mul by a negative number",
    graph: `
      input a: float32[2,3,4]
      const b: float32[] = [-1.5]
      y = Mul(a, b)
      return y
    `,
  },
  {
    name: "Sub from a number",
    graph: `
      input a: float32[2,3,4]
      const b: float32[] = [1.0]
      y = Sub(b, a)
      return y
    `,
  },
  {
    name: "Div by a constant",
    graph: `
      input a: float32[2,3,4]
      const b: float32[] = [6.0]
      y = Div(a, b)
      return y
    `,
  },
  {
    name: "Div by a value",
    graph: `
      input a: float32[2,3,4]
      input x: float32[2,3,1]
      const one: float32[] = [4.0]
      b = Add(x, one)
      y = Div(a, b)
      return y
    `,
    error: { int8: 0.15 },
  },
  {
    name: "Sqrt",
    graph: `
      input x: float32[2,3,4]
      a = Abs(x)
      y = Sqrt(a)
      return y
    `,
  },
  {
    name: "Log",
    graph: `
      input x: float32[2,3,4]
      const one: float32[] = [0.1]
      a = Abs(x)
      b = Add(a, one)
      y = Log(b)
      return y
    `,
  },
  {
    name: "Pow",
    graph: `
      input x: float32[2,3,4]
      const two: float32[] = [2.0]
      y = Pow(x, two)
      return y
    `,
  },
  {
    name: "Clip",
    graph: `
      input x: float32[2,3,4]
      const low: float32[] = [-1.0]
      const high: float32[] = [2.0]
      y = Clip(x, low, high)
      return y
    `,
  },
  {
    name: "PRelu with one slope",
    graph: `
      input x: float32[2,3,4]
      const slope: float32[1] = [0.25]
      y = PRelu(x, slope)
      return y
    `,
  },
  ...["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin"].map((op) => ({
    name: op,
    graph: `
      input x: float32[2,3,4,5]
      const axes: int64[2] = [1, -1]
      y = ${op}(x, axes) keepdims=0
      return y
    `,
  })),
  {
    name: "ReduceL2",
    graph: `
      input x: float32[2,3,4,5]
      const axes: int64[1] = [1]
      y = ReduceL2(x, axes) keepdims=0
      return y
    `,
  },
  ...["GlobalAveragePool", "GlobalMaxPool"].map((op) => ({
    name: op,
    graph: `
      input x: float32[2,3,4,5]
      y = ${op}(x)
      return y
    `,
  })),
  {
    name: "MaxPool",
    graph: `
      input x: float32[1,3,7,7]
      y = MaxPool(x) kernel_shape=[3,2] strides=[2,2] pads=[1,0,1,1] ceil_mode=1
      return y
    `,
  },
  {
    name: "AveragePool",
    graph: `
      input x: float32[1,3,7,7]
      y = AveragePool(x) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1]
      return y
    `,
  },
  {
    name: "AveragePool that counts padding",
    graph: `
      input x: float32[1,3,7,7]
      y = AveragePool(x) kernel_shape=[3,3] strides=[2,2] pads=[1,1,1,1] count_include_pad=1
      return y
    `,
  },
];
