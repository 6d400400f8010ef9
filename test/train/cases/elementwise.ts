import { type Drawn, type GradientCase, positive } from "../../harness/gradient.ts";

function unaryCases(): GradientCase[] {
  const anywhere = [
    ["Abs"],
    ["Atan"],
    ["Celu", "alpha=0.7"],
    ["Cos"],
    ["Cosh"],
    ["Elu", "alpha=0.7"],
    ["Elu"],
    ["Erf"],
    ["Exp"],
    ["Gelu"],
    ["Gelu", 'approximate="tanh"'],
    ["HardSigmoid", "alpha=0.9 beta=0.4"],
    ["HardSwish"],
    ["Identity"],
    ["LeakyRelu", "alpha=0.2"],
    ["Mish"],
    ["Neg"],
    ["Relu"],
    ["Selu"],
    ["Shrink", "lambd=0.4 bias=0.1"],
    ["Sigmoid"],
    ["Sin"],
    ["Sinh"],
    ["Softplus"],
    ["Softsign"],
    ["Swish", "alpha=1.3"],
    ["Swish"],
    ["Tan"],
    ["Tanh"],
    ["ThresholdedRelu", "alpha=0.3"],
    ["Asinh"],
  ].map(
    ([op, attributes = ""]): GradientCase => ({
      name: `${op} ${attributes}`.trim(),
      text: `y = ${op}(x) ${attributes}`,
      by: { x: op === "HardSwish" ? { shape: [3, 5], low: -5, high: 5 } : [3, 5] },
    }),
  );
  const inside = ["Acos", "Asin", "Atanh"].map(
    (op): GradientCase => ({ name: op, text: `y = ${op}(x)`, by: { x: { shape: [7], low: -0.8, high: 0.8 } } }),
  );
  const above = ["Log", "Sqrt", "Reciprocal"].map(
    (op): GradientCase => ({ name: op, text: `y = ${op}(x)`, by: { x: positive(7) } }),
  );
  return [
    ...anywhere,
    ...inside,
    ...above,
    { name: "Acosh", text: "y = Acosh(x)", by: { x: { shape: [7], low: 1.3, high: 3 } } },
    { name: "Relu of nothing", text: "y = Relu(x)", by: { x: [0, 3] } },
    { name: "Relu of a scalar", text: "y = Relu(x)", by: { x: { shape: [], values: [0.7] } } },
  ];
}

function binaryCases(): GradientCase[] {
  const shapes: [string, number[], number[]][] = [
    ["same", [2, 3], [2, 3]],
    ["row", [2, 3], [3]],
    ["column", [2, 3], [2, 1]],
    ["both ways", [2, 1, 3], [4, 1]],
    ["scalar", [2, 3], []],
    ["one", [1], [2, 2]],
    ["nothing", [0, 3], [1, 3]],
  ];
  return ["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "PRelu"].flatMap((op) =>
    shapes
      .filter(([, a]) => op !== "PRelu" || a.length === 2)
      .map(([name, a, b]): GradientCase => {
        const needsPositive = op === "Pow" || op === "Div";
        const draw = needsPositive ? positive : (...shape: number[]): Drawn => ({ shape });
        return { name: `${op} ${name}`, text: `y = ${op}(a, b)`, by: { a: draw(...a), b: draw(...b) } };
      }),
  );
}

export const ELEMENTWISE: readonly GradientCase[] = [
  ...unaryCases(),
  ...binaryCases(),
  { name: "com.microsoft.Gelu", text: "y = com.microsoft.Gelu(x)", by: { x: [2, 3] } },
  { name: "QuickGelu", text: "y = com.microsoft.QuickGelu(x)", by: { x: [2, 3] } },
  { name: "BiasGelu", text: "y = com.microsoft.BiasGelu(x, b)", by: { x: [2, 3], b: [3] } },
  { name: "FastGelu", text: "y = com.microsoft.FastGelu(x, b)", by: { x: [2, 3], b: [3] } },
  { name: "Pow by 2", text: "y = Pow(x, two)", by: { x: [5] }, constants: ["two: float64[] = [2]"] },
  { name: "Pow by 3", text: "y = Pow(x, three)", by: { x: [5] }, constants: ["three: int64[] = [3]"] },
  { name: "Sum of three", text: "y = Sum(a, b, c)", by: { a: [2, 3], b: [3], c: [2, 1] } },
  { name: "Mean of three", text: "y = Mean(a, b, c)", by: { a: [2, 3], b: [3], c: [2, 1] } },
  { name: "Max of three", text: "y = Max(a, b, c)", by: { a: [2, 3], b: [3], c: [2, 1] } },
  { name: "Min of three", text: "y = Min(a, b, c)", by: { a: [2, 3], b: [3], c: [2, 1] } },
  {
    name: "Clip",
    text: "y = Clip(x, low, high)",
    by: { x: [4, 5], low: { shape: [], values: [-0.4] }, high: { shape: [], values: [0.5] } },
  },
  { name: "Clip below", text: "y = Clip(x, low)", by: { x: [4, 5], low: { shape: [], values: [-0.4] } } },
  {
    name: "Clip between known bounds",
    text: "y = Clip(x, low, high)",
    by: { x: [4, 5] },
    constants: ["low: float64[] = [-0.4]", "high: float64[] = [0.5]"],
  },
  {
    name: "Clip between bounds far out",
    text: "y = Clip(x, low, high)",
    by: { x: { shape: [4, 5], low: 900, high: 1100 } },
    constants: ["low: float64[] = [950]", "high: float64[] = [1000]"],
  },
  {
    name: "Where",
    text: "y = Where(c, a, b)",
    by: { a: [2, 3], b: [3] },
    constants: ["c: bool[2, 1] = [1, 0]"],
  },
  { name: "Cast", text: "h = Cast(x) to=11\ny = Mul(h, h)", by: { x: [3] }, runtime: false },
  { name: "CastLike", text: "h = CastLike(x, z)\ny = Mul(h, h)", by: { x: [3] }, constants: ["z: float64[] = [0]"] },
  { name: "a value read twice", text: "a = Exp(x)\nb = Mul(a, x)\ny = Add(a, b)", by: { x: [4] } },
  {
    name: "a value read four times",
    text: "a = Mul(x, x)\nb = Mul(a, x)\nc = Add(b, x)\ny = Sub(c, a)",
    by: { x: [4] },
  },
  { name: "Dropout at rest", text: "y = Dropout(x)", by: { x: [4] } },
  {
    name: "Floor beside",
    text: "f = Floor(x)\ns = Sin(x)\ny = Mul(f, s)",
    by: { x: { shape: [5], low: 1.1, high: 1.9 } },
  },
];
