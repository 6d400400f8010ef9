import { testPass } from "../../harness/pass.ts";

testPass(
  "fuse/silu",
  [
    {
      name: "x · Sigmoid(x)",
      before: "input x: float32[8]\ns = Sigmoid(x)\ny = Mul(s, x)\nreturn y",
      after: "graph opset 24\ninput x: float32[8]\ny = Swish(x) alpha=1.0\nreturn y",
    },
    {
      name: "x · Sigmoid(a · x)",
      before:
        "input x: float32[8]\nconst a: float32[1] = [1.702]\nd = Mul(a, x)\ns = Sigmoid(d)\ny = Mul(x, s)\nreturn y",
      after: "graph opset 24\ninput x: float32[8]\ny = Swish(x) alpha=1.702\nreturn y",
    },
  ],
  [{ name: "a gate", graph: "input x: float32[8]\ninput z: float32[8]\ns = Sigmoid(x)\ny = Mul(s, z)\nreturn y" }],
);
