import { testPass } from "../../harness/pass.ts";

const MADE = `
  a_row = Reshape(a, y_row)
  b_row = Reshape(b, y_row_1)
  y_parts = Concat(a_row, b_row) axis=0
  y = ReduceL2(y_parts, y_axis) keepdims=0
`;
const CONSTANTS = `
  const y_row: int64[3] = [1, 2, 3]
  const y_row_1: int64[3] = [1, 2, 3]
  const y_axis: int64[1] = [0]
`;

function ofInputs(before: string) {
  const head = "input a: float32[2,3]\ninput b: float32[2,3]";
  return {
    before: `${head}\n${before}\ns = Add(p, q)\ny = Sqrt(s)\nreturn y`,
    after: `${head}\n${CONSTANTS}\n${MADE}\nreturn y`,
  };
}

testPass(
  "fuse/hypot",
  [
    { name: "powers", ...ofInputs("const two: float32[] = [2.0]\np = Pow(a, two)\nq = Pow(b, two)") },
    { name: "products", ...ofInputs("p = Mul(a, a)\nq = Mul(b, b)") },
    { name: "one of each", ...ofInputs("const two: float32[] = [2.0]\np = Pow(a, two)\nq = Mul(b, b)") },
    {
      name: "two halves of a spectrum",
      before: `
        input x: float32[1,4,3]
        const zero: int64[1] = [0]
        const two: int64[1] = [2]
        const four: int64[1] = [4]
        const one: int64[1] = [1]
        re = Slice(x, zero, two, one)
        im = Slice(x, two, four, one)
        p = Mul(re, re)
        q = Mul(im, im)
        s = Add(p, q)
        y = Sqrt(s)
        return y
      `,
      after: `
        input x: float32[1,4,3]
        const zero: int64[1] = [0]
        const two: int64[1] = [2]
        const four: int64[1] = [4]
        const one: int64[1] = [1]
        const y_row: int64[4] = [1, 1, 2, 3]
        const y_row_1: int64[4] = [1, 1, 2, 3]
        const y_axis: int64[1] = [0]
        re = Slice(x, zero, two, one)
        im = Slice(x, two, four, one)
        re_row = Reshape(re, y_row)
        im_row = Reshape(im, y_row_1)
        y_parts = Concat(re_row, im_row) axis=0
        y = ReduceL2(y_parts, y_axis) keepdims=0
        return y
      `,
    },
  ],
  [
    {
      name: "parts that broadcast",
      graph:
        "input a: float32[2,3]\ninput b: float32[3]\np = Mul(a, a)\nq = Mul(b, b)\ns = Add(p, q)\ny = Sqrt(s)\nreturn y",
    },
    {
      name: "a square that is read elsewhere too",
      graph:
        "input a: float32[3]\ninput b: float32[3]\np = Mul(a, a)\nq = Mul(b, b)\ns = Add(p, q)\ny = Sqrt(s)\nreturn y, p",
    },
    {
      name: "a product of two values",
      graph:
        "input a: float32[3]\ninput b: float32[3]\np = Mul(a, b)\nq = Mul(b, b)\ns = Add(p, q)\ny = Sqrt(s)\nreturn y",
    },
    {
      name: "a third power",
      graph:
        "input a: float32[3]\ninput b: float32[3]\nconst c: float32[] = [3.0]\np = Pow(a, c)\nq = Mul(b, b)\ns = Add(p, q)\ny = Sqrt(s)\nreturn y",
    },
  ],
);
