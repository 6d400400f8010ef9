import { testPass } from "../../harness/pass.ts";

const CONV = "input x: float32[1,3,4,4]\nconst w: float32[5,3,3,3] = random(1)\nconst b: float32[5] = random(2)";

testPass(
  "fuse/scale",
  [
    {
      name: "after Conv, on either side",
      before: `${CONV}\nconst c: float32[1] = [3]\ny = Conv(x, w, b) pads=[1,1,1,1]\nz = Mul(c, y)\nreturn z`,
      after: `${CONV}\nz = Conv(x, w, b) pads=[1,1,1,1]\nreturn z`,
    },
    {
      name: "after a Conv without bias, by channel, divided",
      before: `${CONV}\nconst c: float32[1,5,1,1] = random(3, 1, 2)\ny = Conv(x, w)\nz = Div(y, c)\nreturn z`,
      after:
        "input x: float32[1,3,4,4]\nconst w: float32[5,3,3,3] = zeros\nconst b: float32[5] = zeros\nz = Conv(x, w)\nreturn z",
    },
    {
      name: "before a padded Conv",
      before: `${CONV}\nconst c: float32[] = 3\na = Mul(x, c)\nz = Conv(a, w, b) pads=[1,1,1,1]\nreturn z`,
      after: `${CONV}\nz = Conv(x, w, b) pads=[1,1,1,1]\nreturn z`,
    },
    {
      name: "after ConvTranspose",
      before: `
        input x: float32[1,3,4,4]
        const w: float32[3,2,2,2] = random(1)
        const c: float32[2,1,1] = random(2)
        y = ConvTranspose(x, w)
        z = Mul(y, c)
        return z
      `,
      after: "input x: float32[1,3,4,4]\nconst w: float32[3,2,2,2] = zeros\nz = ConvTranspose(x, w)\nreturn z",
    },
    {
      name: "after Gemm with both operands transposed",
      before: `
        input x: float32[3,2]
        const w: float32[4,3] = random(1)
        const b: float32[1,4] = random(2)
        const c: float32[4] = random(3)
        y = Gemm(x, w, b) transA=1 transB=1 alpha=0.5
        z = Mul(y, c)
        return z
      `,
      after: `
        input x: float32[3,2]
        const w: float32[4,3] = zeros
        const b: float32[4] = zeros
        z = Gemm(x, w, b) alpha=0.5 transA=1 transB=1
        return z
      `,
    },
    {
      name: "around a MatMul with constant weights",
      before: `
        input x: float32[2,5,3]
        const w: float32[3,4] = random(1)
        const c: float32[] = 0.25
        const d: float32[4] = random(3)
        a = Mul(x, c)
        y = MatMul(a, w)
        z = Mul(y, d)
        return z
      `,
      after: "input x: float32[2,5,3]\nconst w: float32[3,4] = zeros\nz = MatMul(x, w)\nreturn z",
    },
  ],
  [
    {
      name: "weights computed at run time",
      graph:
        "input x: float32[2,3]\ninput w: float32[3,4]\nconst c: float32[] = 2\ny = MatMul(x, w)\nz = Mul(y, c)\nreturn z",
    },
    { name: "c / y", graph: `${CONV}\nconst c: float32[] = 2\ny = Conv(x, w, b)\nz = Div(c, y)\nreturn b, z` },
    {
      name: "a factor by place",
      graph: `${CONV}\nconst c: float32[2] = random(3)\ny = Conv(x, w, b)\nz = Mul(y, c)\nreturn b, z`,
    },
    {
      name: "a factor of each input channel",
      graph: `${CONV}\nconst c: float32[3,1,1] = random(3)\ny = Mul(x, c)\nz = Conv(y, w, b)\nreturn z`,
    },
    { name: "division by zero", graph: `${CONV}\nconst c: float32[] = 0\ny = Conv(x, w, b)\nz = Div(y, c)\nreturn z` },
  ],
);
