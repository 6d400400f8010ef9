import { testPass } from "../../harness/pass.ts";

const HEAD = `
  input x: float32[8]
  const root: float32[] = 1.4142135
  const one: float32[] = 1
  const half: float32[] = 0.5
  d = Div(x, root)
  e = Erf(d)
  a = Add(e, one)
`;
const after = 'input x: float32[8]\ny = Gelu(x) approximate="none"\nreturn y';

testPass(
  "fuse/gelu-erf",
  [
    { name: "x first", before: `${HEAD}\nm = Mul(x, a)\ny = Mul(m, half)\nreturn y`, after },
    { name: "the half first", before: `${HEAD}\nm = Mul(half, x)\ny = Mul(m, a)\nreturn y`, after },
    { name: "the bracket first", before: `${HEAD}\nm = Mul(a, half)\ny = Mul(x, m)\nreturn y`, after },
  ],
  [{ name: "another factor", graph: `${HEAD}\nm = Mul(x, a)\ny = Mul(m, root)\nreturn y, half` }],
);
