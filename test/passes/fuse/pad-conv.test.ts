import { testPass } from "../../harness/pass.ts";

const CONV = "input x: float32[1,3,4,4]\nconst w: float32[5,3,3,3] = random(1)";

testPass(
  "fuse/pad-conv",
  [
    {
      name: "adds to the pads that are there",
      before: `${CONV}\nconst p: int64[8] = [0,0,1,0,0,0,2,1]\nq = Pad(x, p)\ny = Conv(q, w) pads=[0,1,0,1]\nreturn y`,
      after: `${CONV}\ny = Conv(x, w) pads=[1,1,2,2]\nreturn y`,
    },
  ],
  [
    {
      name: "another value",
      graph: `${CONV}\nconst p: int64[8] = [0,0,1,1,0,0,1,1]\nconst v: float32[] = 1\nq = Pad(x, p, v)\ny = Conv(q, w)\nreturn y`,
    },
    {
      name: "reflection",
      graph: `${CONV}\nconst p: int64[8] = [0,0,1,1,0,0,1,1]\nq = Pad(x, p) mode="reflect"\ny = Conv(q, w)\nreturn y`,
    },
    {
      name: "a cut",
      graph: `${CONV}\nconst p: int64[8] = [0,0,-1,0,0,0,0,0]\nq = Pad(x, p)\ny = Conv(q, w)\nreturn y`,
    },
    {
      name: "padded channels",
      graph:
        "input x: float32[1,2,4,4]\nconst w: float32[5,3,3,3] = random(1)\nconst p: int64[8] = [0,1,0,0,0,0,0,0]\nq = Pad(x, p)\ny = Conv(q, w)\nreturn y",
    },
  ],
);
