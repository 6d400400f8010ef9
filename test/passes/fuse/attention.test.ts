import { testPass } from "../../harness/pass.ts";

const HEAD = "input q: float32[2,3,4]\ninput k: float32[2,4,3]\nconst s: float32[1] = [0.5]\nconst t: float32[] = 0.25";

testPass(
  "fuse/attention",
  [
    {
      name: "a scaled query",
      before: `${HEAD}\na = Mul(q, s)\nm = MatMul(a, k)\ny = Softmax(m)\nreturn y, t`,
      after: `${HEAD.replace("[1]", "[]")}\nm_unscaled = MatMul(q, k)\nm = Mul(m_unscaled, s)\ny = Softmax(m)\nreturn y, t`,
    },
    {
      name: "a scale on both, and one behind",
      before: `${HEAD}\na = Mul(s, q)\nb = Div(k, t)\nm = MatMul(a, b)\nn = Mul(m, t)\ny = Softmax(n)\nreturn y`,
      after: `
        input q: float32[2,3,4]
        input k: float32[2,4,3]
        const t: float32[] = 0
        m_unscaled_unscaled = MatMul(q, k)
        n = Mul(m_unscaled_unscaled, t)
        y = Softmax(n)
        return y
      `,
    },
  ],
  [
    {
      name: "constant weights",
      graph:
        "input q: float32[2,3,4]\nconst k: float32[4,3] = random(1)\nconst s: float32[1] = [0.5]\na = Mul(q, s)\ny = MatMul(a, k)\nreturn y",
    },
    {
      name: "a scale for each channel",
      graph: `${HEAD}\nconst c: float32[4] = random(2)\na = Mul(q, c)\nm = MatMul(a, k)\ny = Softmax(m)\nreturn y, s, t`,
    },
  ],
);
