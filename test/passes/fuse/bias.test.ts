import { testPass } from "../../harness/pass.ts";

const CONV = "input x: float32[1,3,4,4]\nconst w: float32[5,3,1,1] = random(1)";

testPass(
  "fuse/bias",
  [
    {
      name: "Conv without bias",
      before: `${CONV}\nconst c: float32[5,1,1] = random(2)\ny = Conv(x, w)\nz = Add(y, c)\nreturn z`,
      after: `${CONV}\nconst c: float32[5] = zeros\nz = Conv(x, w, c)\nreturn z`,
    },
    {
      name: "Conv with bias, one number for all channels, on the left",
      before: `${CONV}\nconst b: float32[5] = random(2)\nconst c: float32[1] = [3]\ny = Conv(x, w, b)\nz = Add(c, y)\nreturn z`,
      after: `${CONV}\nconst b: float32[5] = zeros\nz = Conv(x, w, b)\nreturn z`,
    },
    {
      name: "ConvTranspose, and a difference",
      before: `
        input x: float32[1,3,4,4]
        const w: float32[3,2,2,2] = random(1)
        const c: float32[1,2,1,1] = random(2)
        y = ConvTranspose(x, w)
        z = Sub(y, c)
        return z
      `,
      after:
        "input x: float32[1,3,4,4]\nconst w: float32[3,2,2,2] = zeros\nconst c: float32[2] = zeros\nz = ConvTranspose(x, w, c)\nreturn z",
    },
    {
      name: "Gemm with beta",
      before: `
        input x: float32[2,3]
        const w: float32[4,3] = random(1)
        const b: float32[4] = random(2)
        const c: float32[4] = random(3)
        y = Gemm(x, w, b) transB=1 beta=0.5
        z = Add(y, c)
        return z
      `,
      after:
        "input x: float32[2,3]\nconst w: float32[4,3] = zeros\nconst b: float32[4] = zeros\nz = Gemm(x, w, b) transB=1 beta=0.5\nreturn z",
    },
  ],
  [
    { name: "a residual", graph: `${CONV}\ninput r: float32[1,5,4,4]\ny = Conv(x, w)\nz = Add(y, r)\nreturn z` },
    {
      name: "a constant that differs by place",
      graph: `${CONV}\nconst c: float32[4] = random(2)\ny = Conv(x, w)\nz = Add(y, c)\nreturn z`,
    },
    {
      name: "a constant that widens",
      graph: `${CONV}\nconst c: float32[2,5,1,1] = random(2)\ny = Conv(x, w)\nz = Add(y, c)\nreturn z`,
    },
    { name: "c − y", graph: `${CONV}\nconst c: float32[5,1,1] = random(2)\ny = Conv(x, w)\nz = Sub(c, y)\nreturn z` },
    {
      name: "an output between that is quantized",
      graph: `${CONV}\nconst c: float32[5,1,1] = random(2)\ny: int8[1,5,4,4]{scale=0.5} = Conv(x, w)\nz = Add(y, c)\nreturn z`,
    },
  ],
);
