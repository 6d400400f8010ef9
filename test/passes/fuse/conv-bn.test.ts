import { testPass } from "../../harness/pass.ts";

const NORMALIZATION = `
  const gamma: float32[4] = random(2)
  const beta: float32[4] = random(3)
  const mean: float32[4] = random(4)
  const variance: float32[4] = random(5, 0.5, 2)
`;

testPass(
  "fuse/conv-bn",
  [
    {
      name: "a convolution with bias",
      before: `
        input x: float32[1,3,5,5]
        const w: float32[4,3,3,3] = random(1)
        const b: float32[4] = random(6)
        ${NORMALIZATION}
        y = Conv(x, w, b) pads=[1,1,1,1]
        z = BatchNormalization(y, gamma, beta, mean, variance) epsilon=1e-3
        return z
      `,
      after: `
        input x: float32[1,3,5,5]
        const w: float32[4,3,3,3] = zeros
        const beta: float32[4] = zeros
        z = Conv(x, w, beta) pads=[1,1,1,1]
        return z
      `,
    },
    {
      name: "groups, no bias, weights that another node still reads",
      before: `
        input x: float32[1,4,5,5]
        const w: float32[4,1,3,3] = random(1)
        ${NORMALIZATION}
        y = Conv(x, w) group=4
        z = BatchNormalization(y, gamma, beta, mean, variance)
        a = Add(w, w)
        return z, a
      `,
      after: `
        input x: float32[1,4,5,5]
        const w: float32[4,1,3,3] = zeros
        const w_1: float32[4,1,3,3] = zeros
        const beta: float32[4] = zeros
        z = Conv(x, w_1, beta) group=4
        a = Add(w, w)
        return z, a
      `,
    },
  ],
  [
    {
      name: "something else reads the convolution",
      graph: `
        input x: float32[1,3,5,5]
        const w: float32[4,3,3,3] = random(1)
        ${NORMALIZATION}
        y = Conv(x, w)
        z = BatchNormalization(y, gamma, beta, mean, variance)
        return y, z
      `,
    },
    {
      name: "weights computed at run time",
      graph: `
        input x: float32[1,3,5,5]
        input w: float32[4,3,3,3]
        ${NORMALIZATION}
        y = Conv(x, w)
        z = BatchNormalization(y, gamma, beta, mean, variance)
        return z
      `,
    },
  ],
);
