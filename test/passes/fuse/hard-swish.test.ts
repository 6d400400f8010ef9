import { testPass } from "../../harness/pass.ts";

const HEAD = `
  input x: float32[8]
  const zero: float32[] = 0
  const three: float32[] = 3
  const six: float32[] = 6
  const sixth: float32[] = 0.16666667
  h = Neg(x)
  a = Add(three, h)
  c = Clip(a, zero, six)
`;
const after = "input x: float32[8]\nh = Neg(x)\ny = HardSwish(h)\nreturn y";
const forms: [string, string][] = [
  ["PaddlePaddle's", "m = Mul(h, c)\ny = Div(m, six)"],
  ["a factor last", "m = Mul(c, h)\ny = Mul(sixth, m)"],
  ["division first", "d = Div(h, six)\ny = Mul(c, d)"],
  ["the gate divided", "d = Div(c, six)\ny = Mul(h, d)"],
];

testPass(
  "fuse/hard-swish",
  [
    ...forms.map(([name, form]) => {
      const unread = form.includes("sixth") ? "" : "  const sixth: float32[] = 0\n";
      return { name, before: `${HEAD}\n${form}\nreturn y`, after: after.replace("h = ", `${unread}h = `) };
    }),
    {
      name: "x · HardSigmoid(x)",
      before: "input x: float32[8]\na = HardSigmoid(x) alpha=0.16666667 beta=0.5\ny = Mul(a, x)\nreturn y",
      after: "input x: float32[8]\ny = HardSwish(x)\nreturn y",
    },
  ],
  [
    {
      name: "the gate of something else",
      graph:
        "input x: float32[8]\ninput z: float32[8]\na = HardSigmoid(x) alpha=0.16666667 beta=0.5\ny = Mul(a, z)\nreturn y",
    },
    {
      name: "another slope",
      graph: "input x: float32[8]\na = HardSigmoid(x) alpha=0.2 beta=0.5\ny = Mul(a, x)\nreturn y",
    },
    { name: "a gate that something else reads", graph: `${HEAD}\nm = Mul(h, c)\ny = Div(m, six)\nreturn y, c, sixth` },
  ],
);
