import { testPass } from "../../harness/pass.ts";

testPass(
  "fuse/matmul-add",
  [
    {
      name: "two matrices and a row",
      before:
        "input x: float32[2,3]\nconst w: float32[3,4] = random(1)\nconst b: float32[4] = random(2)\ny = MatMul(x, w)\nz = Add(b, y)\nreturn z",
      after:
        "input x: float32[2,3]\nconst w: float32[3,4] = zeros\nconst b: float32[4] = zeros\nz = Gemm(x, w, b)\nreturn z",
    },
  ],
  [
    {
      name: "a batch",
      graph:
        "input x: float32[1,2,3]\nconst w: float32[3,4] = random(1)\nconst b: float32[4] = random(2)\ny = MatMul(x, w)\nz = Add(y, b)\nreturn z",
    },
    {
      name: "a sum that widens",
      graph:
        "input x: float32[1,3]\nconst w: float32[3,4] = random(1)\nconst b: float32[5,4] = random(2)\ny = MatMul(x, w)\nz = Add(y, b)\nreturn z",
    },
  ],
);
