import { testPass } from "../../harness/pass.ts";

const HEAD = `
  input x: float32[2,3,8]
  const last: int64[1] = [-1]
  const two: float32[] = 2
  const epsilon: float32[] = 1e-5
  m = ReduceMean(x, last)
  d = Sub(x, m)
  p = Pow(d, two)
  v = ReduceMean(p, last)
  e = Add(v, epsilon)
  s = Sqrt(e)
`;

testPass(
  "fuse/layer-norm",
  [
    {
      name: "with scale and shift",
      before: `
        ${HEAD}
        const gamma: float32[8] = random(1)
        const beta: float32[8] = random(2)
        n = Div(d, s)
        g = Mul(n, gamma)
        y = Add(g, beta)
        return y
      `,
      after: `
        input x: float32[2,3,8]
        const n_gamma: float32[8] = zeros
        const beta: float32[8] = zeros
        y = LayerNormalization(x, n_gamma, beta) axis=-1 epsilon=0.00001
        return y
      `,
    },
    {
      name: "without, by the reciprocal",
      before: `${HEAD}\nr = Reciprocal(s)\nn = Mul(d, r)\ny = Relu(n)\nreturn y`,
      after: `
        input x: float32[2,3,8]
        const n_gamma: float32[8] = zeros
        n = LayerNormalization(x, n_gamma) axis=-1 epsilon=0.00001
        y = Relu(n)
        return y
      `,
    },
    {
      name: "a shift after LayerNormalization",
      before: `
        input x: float32[3,8]
        const gamma: float32[8] = random(1)
        const c: float32[1,8] = random(2)
        n = LayerNormalization(x, gamma) axis=1
        y = Add(c, n)
        return y
      `,
      after: `
        input x: float32[3,8]
        const gamma: float32[8] = zeros
        const c: float32[8] = zeros
        y = LayerNormalization(x, gamma, c) axis=1
        return y
      `,
    },
  ],
  [
    { name: "other axes", graph: `${HEAD.replace("[-1]", "[1]")}\ny = Div(d, s)\nreturn y` },
    { name: "the deviation is read", graph: `${HEAD}\ny = Div(d, s)\nreturn y, d` },
    {
      name: "a residual after LayerNormalization",
      graph:
        "input x: float32[3,8]\ninput r: float32[3,8]\nconst gamma: float32[8] = random(1)\nn = LayerNormalization(x, gamma)\ny = Add(n, r)\nreturn y",
    },
  ],
);
