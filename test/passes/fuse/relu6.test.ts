import { testPass } from "../../harness/pass.ts";

const HEAD =
  "input x: float32[8]\nconst zero: float32[] = 0\nconst six: float32[] = 6\nconst k: float32[] = 2\nh = Mul(x, k)";
const after =
  "input x: float32[8]\nconst k: float32[] = 2\nconst y_low: float32[] = 0\nconst y_high: float32[] = 6\nh = Mul(x, k)\ny = Clip(h, y_low, y_high)\nreturn y";

testPass(
  "fuse/relu6",
  [
    {
      name: "Relu, Min",
      before: `${HEAD}\na = Relu(h)\ny = Min(a, six)\nreturn y, zero`,
      after: `${after}, zero`.replace("const y_low", "const zero: float32[] = 0\nconst y_low"),
    },
    { name: "Max, Min", before: `${HEAD}\na = Max(zero, h)\ny = Min(six, a)\nreturn y`, after },
    { name: "Clip, Relu", before: `${HEAD}\na = Clip(h, zero, six)\ny = Relu(a)\nreturn y`, after },
  ],
  [
    { name: "another limit", graph: `${HEAD}\na = Relu(h)\ny = Min(a, k)\nreturn y, zero, six` },
    { name: "a Clip alone", graph: `${HEAD}\ny = Clip(h, zero, six)\nreturn y` },
  ],
);
