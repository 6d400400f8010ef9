import { testPass } from "../../harness/pass.ts";

testPass(
  "simplify/transpose",
  [
    {
      name: "two in a row",
      before: "input x: float32[2,3,4]\na = Transpose(x) perm=[1,0,2]\ny = Transpose(a) perm=[2,1,0]\nreturn y",
      after: "input x: float32[2,3,4]\ny = Transpose(x) perm=[2,0,1]\nreturn y",
    },
    {
      name: "two around elementwise nodes and their constants",
      before: `
        input x: float32[2,3,4]
        const c: float32[3] = [1, 2, 3]
        const d: float32[] = 2
        a = Transpose(x) perm=[0,2,1]
        b = Add(a, c)
        e = Mul(d, b)
        f = Relu(e)
        y = Transpose(f) perm=[0,2,1]
        return y
      `,
      after: `
        input x: float32[2,3,4]
        const c_1: float32[1,3,1] = zeros
        const d: float32[] = 2
        b_1 = Add(x, c_1)
        e_1 = Mul(d, b_1)
        f_1 = Relu(e_1)
        y = Transpose(f_1) perm=[0,1,2]
        return y
      `,
    },
    {
      name: "one that moves no element",
      before: "input x: float32[2,1,4]\ny = Transpose(x) perm=[1,0,2]\nreturn y",
      after: "input x: float32[2,1,4]\nconst y_shape: int64[3] = zeros\ny = Reshape(x, y_shape)\nreturn y",
    },
  ],
  [
    { name: "a single one", graph: "input x: float32[2,3]\ny = Transpose(x)\nreturn y" },
    {
      name: "something else reads between",
      graph:
        "input x: float32[2,3,4]\na = Transpose(x) perm=[1,0,2]\nb = Relu(a)\ny = Transpose(b) perm=[1,0,2]\nreturn a, y",
    },
    {
      name: "a full constant between",
      graph: `
        input x: float32[2,3]
        const c: float32[3,2] = random(1)
        a = Transpose(x)
        b = Add(a, c)
        y = Transpose(b)
        return y
      `,
    },
  ],
);
