import { testPass } from "../../harness/pass.ts";

testPass(
  "simplify/cast",
  [
    {
      name: "a widening cast before another",
      before: "input x: int8[2]\na = Cast(x) to=7\ny = Cast(a) to=1\nreturn y",
      after: "input x: int8[2]\ny = Cast(x) to=1\nreturn y",
    },
    {
      name: "there and back",
      before: "input x: float16[2]\na = Cast(x) to=1\ny = Cast(a) to=10\nreturn y",
      after: "input x: float16[2]\ny = Cast(x) to=10\nreturn y",
    },
  ],
  [
    { name: "a narrowing cast", graph: "input x: float32[2]\na = Cast(x) to=6\ny = Cast(a) to=1\nreturn y" },
    { name: "integers beyond float32", graph: "input x: int32[2]\na = Cast(x) to=1\ny = Cast(a) to=6\nreturn y" },
  ],
);
