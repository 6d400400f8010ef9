import { testPass } from "../../harness/pass.ts";

const NORMALIZATION = `
  const gamma: float32[4] = random(2)
  const beta: float32[4] = random(3)
  const mean: float32[4] = random(4)
  const variance: float32[4] = random(5, 0.5, 2)
`;

testPass(
  "fuse/bn-to-scale",
  [
    {
      name: "images",
      before: `
        input x: float32[2,4,3,3]
        ${NORMALIZATION}
        y = BatchNormalization(x, gamma, beta, mean, variance) epsilon=1e-3
        return y
      `,
      after: `
        input x: float32[2,4,3,3]
        const gamma: float32[4,1,1] = zeros
        const beta: float32[4,1,1] = zeros
        y_scaled = Mul(x, gamma)
        y = Add(y_scaled, beta)
        return y
      `,
    },
    {
      name: "rows",
      before: `
        input x: float32[2,4]
        ${NORMALIZATION}
        y = BatchNormalization(x, gamma, beta, mean, variance)
        return y
      `,
      after: `
        input x: float32[2,4]
        const gamma: float32[4] = zeros
        const beta: float32[4] = zeros
        y_scaled = Mul(x, gamma)
        y = Add(y_scaled, beta)
        return y
      `,
    },
  ],
  [
    {
      name: "statistics that are inputs",
      graph: `
        input x: float32[2,4]
        input m: float32[4]
        ${NORMALIZATION}
        y = BatchNormalization(x, gamma, beta, m, variance)
        return y
      `,
    },
  ],
);
