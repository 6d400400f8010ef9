import { testPass } from "../../harness/pass.ts";

testPass(
  "simplify/shape-chain",
  [
    {
      name: "Shape → Gather → Concat → Reshape",
      before: `
        input x: float32[2,3,4]
        const zero: int64[1] = [0]
        const rest: int64[1] = [-1]
        s = Shape(x)
        n = Gather(s, zero)
        t = Concat(n, rest) axis=0
        y = Reshape(x, t)
        return y
      `,
      after: "input x: float32[2,3,4]\nconst t: int64[2] = zeros\ny = Reshape(x, t)\nreturn y",
    },
    {
      name: "the condition of an If",
      before: `
        input x: float32[1,3]
        const axis: int64[] = 0
        const one: int64[] = 1
        s = Shape(x)
        n = Gather(s, axis)
        c = Equal(n, one)
        y = If(c) then_branch={ a = Relu(x)
        return a } else_branch={ b = Neg(x)
        return b }
        return y
      `,
      after: `
        input x: float32[1,3]
        const c: bool[] = 1
        y = If(c) else_branch={ b = Neg(x)
        return b } then_branch={ a = Relu(x)
        return a }
        return y
      `,
    },
  ],
  [
    { name: "a shape that is an output", graph: "input x: float32[2,3]\ny = Shape(x)\nreturn y" },
    {
      name: "values, not shapes",
      graph: "input x: int64[2]\nconst one: int64[2] = [1, 1]\na = Add(x, one)\ny = Mul(a, one)\nreturn y",
    },
  ],
);
