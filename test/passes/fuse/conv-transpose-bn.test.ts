import { testPass } from "../../harness/pass.ts";

const NORMALIZATION = `
  const gamma: float32[6] = random(2)
  const beta: float32[6] = random(3)
  const mean: float32[6] = random(4)
  const variance: float32[6] = random(5, 0.5, 2)
`;

testPass(
  "fuse/conv-transpose-bn",
  [
    {
      name: "two groups, with bias",
      before: `
        input x: float32[1,4,3,3]
        const w: float32[4,3,2,2] = random(1)
        const b: float32[6] = random(6)
        ${NORMALIZATION}
        y = ConvTranspose(x, w, b) group=2 strides=[2,2]
        z = BatchNormalization(y, gamma, beta, mean, variance)
        return z
      `,
      after: `
        input x: float32[1,4,3,3]
        const w: float32[4,3,2,2] = zeros
        const beta: float32[6] = zeros
        z = ConvTranspose(x, w, beta) group=2 strides=[2,2]
        return z
      `,
    },
  ],
  [
    {
      name: "weights computed at run time",
      graph: `
        input x: float32[1,4,3,3]
        input w: float32[4,6,2,2]
        ${NORMALIZATION}
        y = ConvTranspose(x, w)
        z = BatchNormalization(y, gamma, beta, mean, variance)
        return z
      `,
    },
  ],
);
