import { testPass } from "../../harness/pass.ts";

testPass(
  "simplify/constant-fold",
  [
    {
      name: "a chain of constants",
      before: `
        input x: float32[2]
        const a: float32[2] = [1, 2]
        const b: float32[2] = [3, 4]
        c = Add(a, b)
        d = Sqrt(c)
        y = Mul(x, d)
        return y
      `,
      after: "input x: float32[2]\nconst d: float32[2] = zeros\ny = Mul(x, d)\nreturn y",
    },
    {
      name: "Constant nodes, and half floats",
      before: `
        input x: float16[2]
        a = Constant() value=tensor(float16[2] = [0.5, 2])
        b = Exp(a)
        y = Mul(x, b)
        return y
      `,
      after: "input x: float16[2]\nconst b: float16[2] = zeros\ny = Mul(x, b)\nreturn y",
    },
    {
      name: "a small ConstantOfShape",
      before:
        "input x: float32[3]\nconst s: int64[1] = [3]\na = ConstantOfShape(s) value=tensor(float32[1] = [2])\ny = Add(x, a)\nreturn y",
      after: "input x: float32[3]\nconst a: float32[3] = zeros\ny = Add(x, a)\nreturn y",
    },
  ],
  [
    {
      name: "values beyond the budget",
      graph:
        "input x: float32[3,100]\nconst s: int64[2] = [3, 100]\na = ConstantOfShape(s) value=tensor(float32[1] = [2])\ny = Add(x, a)\nreturn y",
      options: { maxBytes: 100 },
    },
    {
      name: "random numbers",
      graph:
        "input x: float32[3]\na = RandomNormal() shape=[3] dtype=1\nb = RandomNormalLike(x)\nc = Add(a, b)\nreturn c",
    },
    { name: "the graph's own outputs", graph: "const a: float32[2] = [1, 2]\ny = Neg(a)\nreturn y" },
    {
      name: "quantized constants",
      graph: "input x: float32[2]\nconst a: int8[2]{scale=0.5} = [1, 2]\nb = Neg(a)\ny = Add(x, b)\nreturn y",
    },
    {
      name: "an input with a default",
      graph:
        "input x: float32[2]\ninput a: float32[2]\nconst a: float32[2] = [1, 2]\nb = Neg(a)\ny = Add(x, b)\nreturn y",
    },
  ],
);
