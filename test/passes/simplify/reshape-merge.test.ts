import { testPass } from "../../harness/pass.ts";

testPass(
  "simplify/reshape-merge",
  [
    {
      name: "Flatten, Squeeze and Unsqueeze",
      before: `
        input x: float32[2,3,1]
        const last: int64[1] = [2]
        const first: int64[1] = [0]
        a = Squeeze(x, last)
        b = Relu(a)
        c = Unsqueeze(b, first)
        d = Relu(c)
        y = Flatten(d)
        return y
      `,
      after: `
        input x: float32[2,3,1]
        const a_shape: int64[2] = zeros
        const c_shape: int64[3] = zeros
        const y_shape: int64[2] = zeros
        a = Reshape(x, a_shape)
        b = Relu(a)
        c = Reshape(b, c_shape)
        d = Relu(c)
        y = Reshape(d, y_shape)
        return y
      `,
    },
    {
      name: "several in a row",
      before: `
        input x: float32[2,3,4]
        const s: int64[2] = [6, 4]
        const t: int64[1] = [-1]
        a = Reshape(x, s)
        b = Flatten(a) axis=0
        y = Reshape(b, t)
        return y
      `,
      after: "input x: float32[2,3,4]\nconst y_shape: int64[1] = zeros\ny = Reshape(x, y_shape)\nreturn y",
    },
    {
      name: "a mean of one element",
      before: "input x: float32[2,1,3]\nconst a: int64[1] = [1]\ny = ReduceMean(x, a) keepdims=0\nreturn y",
      after: "input x: float32[2,1,3]\nconst y_shape: int64[2] = zeros\ny = Reshape(x, y_shape)\nreturn y",
    },
    {
      name: "one that something else reads",
      before: `
        input x: float32[2,6]
        const s: int64[2] = [3, 4]
        const t: int64[2] = [4, 3]
        a = Reshape(x, s)
        b = Reshape(a, t)
        y = Relu(b)
        return a, y
      `,
      after: `
        input x: float32[2,6]
        const s: int64[2] = zeros
        const b_shape: int64[2] = zeros
        a = Reshape(x, s)
        b = Reshape(x, b_shape)
        y = Relu(b)
        return a, y
      `,
    },
  ],
  [
    {
      name: "a Reshape to a constant shape",
      graph: "input x: float32[2,6]\nconst s: int64[2] = [3, 4]\ny = Reshape(x, s)\nreturn y",
    },
    {
      name: "a quantized value between",
      graph: `
        input x: float32[2,6]
        const s: int64[2] = [3, 4]
        const t: int64[2] = [4, 3]
        a: int8[3,4]{scale=0.5} = Reshape(x, s)
        y = Reshape(a, t)
        return y
      `,
    },
  ],
);
