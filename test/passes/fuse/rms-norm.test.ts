import { testPass } from "../../harness/pass.ts";

const HEAD = `
  input x: float32[2,3,8]
  const last: int64[1] = [2]
  const epsilon: float32[] = 1e-6
  const gamma: float32[8] = random(1)
`;
const NORM = "p = Mul(x, x)\nv = ReduceMean(p, last)\ne = Add(v, epsilon)\ns = Sqrt(e)";

testPass(
  "fuse/rms-norm",
  [
    {
      name: "with a scale on the left",
      before: `${HEAD}\n${NORM}\nn = Div(x, s)\ny = Mul(gamma, n)\nreturn y`,
      after: `
        graph opset 23
        input x: float32[2,3,8]
        const n_gamma: float32[8] = zeros
        y = RMSNormalization(x, n_gamma) axis=-1 epsilon=1e-6
        return y
      `.replace("1e-6", "0.000001"),
    },
  ],
  [
    {
      name: "the mean of x itself",
      graph: `${HEAD}\nv = ReduceMean(x, last)\ne = Add(v, epsilon)\ns = Sqrt(e)\nn = Div(x, s)\ny = Mul(gamma, n)\nreturn y`,
    },
  ],
);
