import { testPass } from "../../harness/pass.ts";

const HEAD =
  "input x: float32[1,3,8]\ninput r: float32[1,3,8]\nconst g: float32[8] = random(1)\nconst b: float32[8] = random(2)";

testPass(
  "fuse/skip-norm",
  [
    {
      name: "a sum that the next residual reads",
      before: `${HEAD}\ns = Add(x, r)\nn = LayerNormalization(s, g, b)\ny = Add(s, n)\nreturn y`,
      after: `graph opset 21, com.microsoft 1\n${HEAD}\nn, _, _, s = com.microsoft.SkipLayerNormalization(x, r, g, b) epsilon=0.00001\ny = Add(s, n)\nreturn y`,
    },
    {
      name: "a sum that nothing else reads",
      before: `${HEAD}\ns = Add(x, r)\nn = LayerNormalization(s, g, b) axis=2 epsilon=1e-3\ny = Relu(n)\nreturn y`,
      after: `graph opset 21, com.microsoft 1\n${HEAD}\nn = com.microsoft.SkipLayerNormalization(x, r, g, b) epsilon=0.001\ny = Relu(n)\nreturn y`,
    },
  ],
  [
    {
      name: "a sum that widens",
      graph: `${HEAD}\ninput z: float32[1,1,8]\ns = Add(x, z)\nn = LayerNormalization(s, g, b)\nreturn n, r`,
    },
    {
      name: "other axes",
      graph: `${HEAD.replace("const g: float32[8] = random(1)\nconst b: float32[8] = random(2)", "const g: float32[3,8] = random(1)\nconst b: float32[3,8] = random(2)")}\ns = Add(x, r)\nn = LayerNormalization(s, g, b) axis=1\nreturn n`,
    },
  ],
);
