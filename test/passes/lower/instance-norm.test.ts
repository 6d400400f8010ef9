import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/instance-norm",
  [
    {
      name: "a plane a channel",
      graph: `
        input x: float32[2,3,4,5]
        const s: float32[3] = random(1)
        const b: float32[3] = random(2)
        y = InstanceNormalization(x, s, b) epsilon=0.01
        return y
      `,
      ops: "Reshape LayerNormalization Reshape Reshape Mul Reshape Add",
      tolerance: 0.0001,
    },
    {
      name: "groups of channels",
      graph: `
        input x: float32[2,6,4]
        const s: float32[6] = random(1)
        const b: float32[6] = random(2)
        y = GroupNormalization(x, s, b) num_groups=3
        return y
      `,
      ops: "Reshape LayerNormalization Reshape Reshape Mul Reshape Add",
      tolerance: 0.0001,
    },
  ],
  [
    {
      name: "sizes that are not known",
      graph: `
        input x: float64[2,3,4]
        const s: float64[3] = random(1)
        y = InstanceNormalization(x, s, s)
        return y
      `,
    },
  ],
);
