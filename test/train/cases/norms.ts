import { type GradientCase, positive } from "../../harness/gradient.ts";

const AXES = ["axes: int64[2] = [0, 2]"];

export const REDUCTIONS: readonly GradientCase[] = [
  "ReduceSum",
  "ReduceMean",
  "ReduceMax",
  "ReduceMin",
  "ReduceL1",
  "ReduceL2",
  "ReduceLogSumExp",
  "ReduceSumSquare",
  "ReduceProd",
  "ReduceLogSum",
].flatMap((op): GradientCase[] => {
  const x = op === "ReduceLogSum" ? positive(2, 3, 4) : [2, 3, 4];
  return [
    { name: `${op} kept`, text: `y = ${op}(x, axes)`, by: { x }, constants: AXES },
    { name: `${op} dropped`, text: `y = ${op}(x, axes) keepdims=0`, by: { x }, constants: AXES },
    { name: `${op} of all`, text: `y = ${op}(x) keepdims=0`, by: { x } },
  ];
});

export const NORMS: readonly GradientCase[] = [
  { name: "Softmax", text: "y = Softmax(x) axis=1", by: { x: [2, 4, 3] } },
  { name: "Softmax last", text: "y = Softmax(x)", by: { x: [2, 4] } },
  { name: "LogSoftmax", text: "y = LogSoftmax(x) axis=1", by: { x: [2, 4, 3] } },
  { name: "Softmax of one", text: "y = Softmax(x)", by: { x: [3, 1] } },
  { name: "LayerNormalization", text: "y = LayerNormalization(x, s, b)", by: { x: [2, 3, 5], s: [5], b: [5] } },
  {
    name: "LayerNormalization over two axes",
    text: "y = LayerNormalization(x, s, b) axis=1 epsilon=0.01",
    by: { x: [2, 3, 4], s: [3, 4], b: [3, 4] },
  },
  { name: "RMSNormalization", text: "y = RMSNormalization(x, s)", by: { x: [2, 3, 5], s: [5] } },
  {
    name: "SimplifiedLayerNormalization",
    text: "y = SimplifiedLayerNormalization(x, s)",
    by: { x: [2, 3, 5], s: [5] },
  },
  { name: "LpNormalization", text: "y = LpNormalization(x) axis=1", by: { x: [2, 3, 2] } },
  { name: "LpNormalization, p = 1", text: "y = LpNormalization(x) p=1", by: { x: [2, 3] } },
  {
    name: "GroupNormalization",
    text: "y = GroupNormalization(x, s, b) num_groups=2",
    by: { x: [2, 4, 3, 2], s: [4], b: [4] },
  },
  { name: "InstanceNormalization", text: "y = InstanceNormalization(x, s, b)", by: { x: [2, 3, 4], s: [3], b: [3] } },
  {
    name: "BatchNormalization",
    text: "y = BatchNormalization(x, s, b, m, v)",
    by: { x: [2, 3, 4], s: [3], b: [3], m: [3], v: positive(3) },
  },
  {
    name: "BatchNormalization in training",
    text: "y = BatchNormalization(x, s, b, m, v) training_mode=1",
    by: { x: [4, 3, 2, 2], s: [3], b: [3] },
    constants: ["m: float64[3] = [0.1, 0.2, 0.3]", "v: float64[3] = [1, 2, 3]"],
  },
  {
    name: "BatchNormalization of rows in training",
    text: "y = BatchNormalization(x, s, b, m, v) training_mode=1 epsilon=0.001",
    by: { x: [6, 2], s: [2], b: [2] },
    constants: ["m: float64[2] = [0, 0]", "v: float64[2] = [1, 1]"],
  },
];

const TARGETS = ["t: int64[3] = [1, 0, 3]"];

export const LOSSES: readonly GradientCase[] = [
  ...["mean", "sum", "none"].flatMap((reduction): GradientCase[] => [
    {
      name: `SoftmaxCrossEntropyLoss ${reduction}`,
      text: `y = SoftmaxCrossEntropyLoss(x, t) reduction="${reduction}"`,
      by: { x: [3, 4] },
      constants: TARGETS,
    },
    {
      name: `SoftmaxCrossEntropyLoss ${reduction}, weighted and ignoring`,
      text: `y = SoftmaxCrossEntropyLoss(x, t, w) reduction="${reduction}" ignore_index=7`,
      by: { x: [2, 3, 4] },
      constants: ["t: int64[2, 4] = [0, 1, 2, 7, 2, 2, 7, 0]", "w: float64[3] = [0.5, 1, 2]"],
    },
    {
      name: `NegativeLogLikelihoodLoss ${reduction}`,
      text: `y = NegativeLogLikelihoodLoss(x, t) reduction="${reduction}"`,
      by: { x: [3, 4] },
      constants: TARGETS,
    },
  ]),
  {
    name: "SoftmaxCrossEntropyLoss and its logs",
    text: "y, l = SoftmaxCrossEntropyLoss(x, t)",
    by: { x: [3, 4] },
    constants: TARGETS,
  },
];
