import { testPass } from "../../harness/pass.ts";

const X = "input x: float32[1,4,5,6]";
const W = "const w: float32[3,4,1,1] = random(1)";
const DEPTHWISE = "const w: float32[4,1,3,3] = random(1)\nconst b: float32[4] = random(2)";

testPass(
  "fuse/shift",
  [
    {
      name: "one number before a Conv without bias",
      before: `${X}\n${W}\nconst c: float32[1] = [2]\na = Add(x, c)\ny = Conv(a, w)\nreturn y`,
      after: `${X}\n${W}\nconst c: float32[3] = zeros\ny = Conv(x, w, c)\nreturn y`,
    },
    {
      name: "a number a channel before a Conv with bias and larger kernels",
      before: `
        ${X}
        const w: float32[3,4,2,3] = random(1)
        const b: float32[3] = random(2)
        const c: float32[1,4,1,1] = random(3)
        a = Add(c, x)
        y = Conv(a, w, b)
        return y
      `,
      after: `${X}\nconst w: float32[3,4,2,3] = zeros\nconst b: float32[3] = zeros\ny = Conv(x, w, b)\nreturn y`,
    },
    {
      name: "groups: each filter hears only its own channels",
      before: `
        ${X}
        const w: float32[6,2,1,1] = random(1)
        const c: float32[4,1,1] = random(3)
        a = Add(x, c)
        y = Conv(a, w) group=2
        return y
      `,
      after: `${X}\nconst w: float32[6,2,1,1] = zeros\nconst c: float32[6] = zeros\ny = Conv(x, w, c) group=2\nreturn y`,
    },
    {
      name: "a scale and a shift before padding: the scale stands next to the weights then",
      before: `
        ${X}
        ${DEPTHWISE}
        const s: float32[1] = [3]
        const c: float32[1] = [0.5]
        m = Mul(s, x)
        a = Add(m, c)
        y = Conv(a, w, b) pads=[1,1,1,1] group=4
        return y
      `,
      after: `
        ${X}
        const s: float32[] = zeros
        const c: float32[] = zeros
        ${DEPTHWISE}
        a_moved = Add(x, c)
        a_scaled = Mul(a_moved, s)
        y = Conv(a_scaled, w, b) pads=[1,1,1,1] group=4
        return y
      `,
    },
  ],
  [
    {
      name: "a shift before padding",
      graph: `${X}\n${DEPTHWISE}\nconst c: float32[] = [1]\na = Add(x, c)\ny = Conv(a, w, b) pads=[1,1,1,1] group=4\nreturn y`,
    },
    {
      name: "padding that is worked out from the size",
      graph: `${X}\n${DEPTHWISE}\nconst c: float32[] = [1]\na = Add(x, c)\ny = Conv(a, w, b) auto_pad="SAME_UPPER" group=4\nreturn y`,
    },
    {
      name: "a constant that differs by place",
      graph: `${X}\n${W}\nconst c: float32[5,6] = random(2)\na = Add(x, c)\ny = Conv(a, w)\nreturn y`,
    },
    {
      name: "a constant that widens",
      graph: `${X}\n${W}\nconst c: float32[2,4,1,1] = random(2)\na = Add(x, c)\ny = Conv(a, w)\nreturn y`,
    },
    {
      name: "what something else reads",
      graph: `${X}\n${W}\nconst c: float32[] = [1]\na = Add(x, c)\ny = Conv(a, w)\nz = Relu(a)\nreturn y, z`,
    },
    {
      name: "a bias that is computed",
      graph: `${X}\n${W}\ninput b: float32[3]\nconst c: float32[] = [1]\na = Add(x, c)\ny = Conv(a, w, b)\nreturn y`,
    },
    {
      name: "a scale of 0",
      graph: `${X}\n${DEPTHWISE}\nconst s: float32[] = [0]\nconst c: float32[] = [1]\nm = Mul(x, s)\na = Add(m, c)\ny = Conv(a, w, b) pads=[1,1,1,1] group=4\nreturn y`,
    },
  ],
);
