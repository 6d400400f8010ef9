import { testPass } from "../../harness/pass.ts";

const HEAD = `
  input x: float32[8]
  const three: float32[] = 3
  const cubic: float32[] = 0.044715
  const root: float32[] = 0.7978846
  const one: float32[] = 1
  const half: float32[] = 0.5
`;
const TAIL = "t = Tanh(k)\na = Add(one, t)\nm = Mul(x, a)\ny = Mul(m, half)\nreturn y";
const after = 'input x: float32[8]\ny = Gelu(x) approximate="tanh"\nreturn y';

testPass(
  "fuse/gelu-tanh",
  [
    {
      name: "with Pow",
      before: `${HEAD}\np = Pow(x, three)\nc = Mul(p, cubic)\ns = Add(x, c)\nk = Mul(root, s)\n${TAIL}`,
      after,
    },
    {
      name: "with products",
      before: `${HEAD.replace("const three: float32[] = 3", "")}\nq = Mul(x, x)\np = Mul(x, q)\nc = Mul(cubic, p)\ns = Add(x, c)\nk = Mul(s, root)\n${TAIL}`,
      after,
    },
  ],
  [
    {
      name: "another power",
      graph: `${HEAD}\np = Pow(x, half)\nc = Mul(p, cubic)\ns = Add(x, c)\nk = Mul(root, s)\n${TAIL}, three`,
    },
  ],
);
