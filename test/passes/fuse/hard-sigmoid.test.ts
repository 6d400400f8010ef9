import { testPass } from "../../harness/pass.ts";

const HEAD =
  "input x: float32[8]\nconst zero: float32[] = 0\nconst three: float32[] = 3\nconst six: float32[1] = [6]\n";

testPass(
  "fuse/hard-sigmoid",
  [
    {
      name: "Add, Clip, Div",
      before: `${HEAD}a = Add(x, three)\nb = Clip(a, zero, six0)\ny = Div(b, six)\nreturn y`.replace(
        "const six:",
        "const six0: float32[] = 6\nconst six:",
      ),
      after: "input x: float32[8]\ny = HardSigmoid(x) alpha=0.16666667 beta=0.5\nreturn y",
    },
    {
      name: "any line between 0 and 1",
      before: `
        input x: float32[8]
        const zero: float32[] = 0
        const one: float32[] = 1
        const slope: float32[] = 0.2
        const shift: float32[] = 0.5
        a = Mul(slope, x)
        b = Add(a, shift)
        y = Clip(b, zero, one)
        return y
      `,
      after: "input x: float32[8]\ny = HardSigmoid(x) alpha=0.2 beta=0.5\nreturn y",
    },
  ],
  [
    {
      name: "another divisor",
      graph: `${HEAD}const six0: float32[] = 6\na = Add(x, three)\nb = Clip(a, zero, six0)\ny = Div(b, three)\nreturn y, six`,
    },
  ],
);
