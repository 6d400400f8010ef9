import { testPass } from "../../harness/pass.ts";

testPass(
  "simplify/common-subexpression",
  [
    {
      name: "equal nodes, equal constants, and what follows from them",
      before: `
        input x: float32[2]
        const a: float32[2] = [1, 2]
        const b: float32[2] = [1, 2]
        p = Add(x, a)
        q = Add(x, b)
        r = Relu(p)
        s = Relu(q)
        y = Mul(r, s)
        return y
      `,
      after: `
        input x: float32[2]
        const a: float32[2] = [1, 2]
        p = Add(x, a)
        r = Relu(p)
        y = Mul(r, r)
        return y
      `,
    },
    {
      name: "one of them is an output",
      before: "input x: float32[2]\na = Relu(x)\ny = Relu(x)\nz = Neg(a)\nreturn y, z",
      after: "input x: float32[2]\ny = Relu(x)\nz = Neg(y)\nreturn y, z",
    },
    {
      name: "inside a subgraph's captures",
      before: `
        input c: bool[]
        input x: float32[2]
        a = Relu(x)
        b = Relu(x)
        y = If(c) then_branch={ return b } else_branch={ return a }
        return y
      `,
      after: `
        input c: bool[]
        input x: float32[2]
        a = Relu(x)
        y = If(c) else_branch={ return a } then_branch={ return a }
        return y
      `,
    },
  ],
  [
    {
      name: "other attributes",
      graph: "input x: float32[2]\na = Elu(x) alpha=1.0\nb = Elu(x) alpha=2.0\ny = Add(a, b)\nreturn y",
    },
    {
      name: "random numbers",
      graph: "input x: float32[2]\na = RandomNormalLike(x)\nb = RandomNormalLike(x)\ny = Add(a, b)\nreturn y",
    },
    { name: "two outputs", graph: "input x: float32[2]\ny = Relu(x)\nz = Relu(x)\nreturn y, z" },
    {
      name: "other quantization",
      graph:
        "input x: float32[2]\na: int8[2]{scale=0.5} = Relu(x)\nb: int8[2]{scale=0.25} = Relu(x)\ny = Add(a, b)\nreturn y",
    },
  ],
);
