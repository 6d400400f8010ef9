import { testPass } from "../../harness/pass.ts";

testPass(
  "fuse/p-relu",
  [
    {
      name: "Relu and Neg",
      before: `
        input x: float32[1,3,2]
        const s: float32[3,1] = random(1)
        p = Relu(x)
        n = Neg(x)
        r = Relu(n)
        m = Mul(s, r)
        y = Add(m, p)
        return y
      `,
      after: "input x: float32[1,3,2]\nconst s: float32[3,1] = zeros\ny = PRelu(x, s)\nreturn y",
    },
    {
      name: "Max",
      before: "input x: float32[4]\nconst s: float32[] = 0.1\nm = Mul(x, s)\ny = Max(m, x)\nreturn y",
      after: "input x: float32[4]\nconst s: float32[] = 0\ny = PRelu(x, s)\nreturn y",
    },
  ],
  [
    {
      name: "a slope above 1",
      graph: "input x: float32[4]\nconst s: float32[] = 1.5\nm = Mul(x, s)\ny = Max(m, x)\nreturn y",
    },
    {
      name: "a slope that widens",
      graph: "input x: float32[4]\nconst s: float32[2,4] = random(1, 0, 1)\nm = Mul(x, s)\ny = Max(m, x)\nreturn y",
    },
  ],
);
