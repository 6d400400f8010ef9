import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/conv-3d",
  [
    {
      name: "one frame",
      graph: `
        input x: float32[1,2,1,5,5]
        const w: float32[4,2,1,3,3] = random(1)
        const b: float32[4] = random(2)
        y = Conv(x, w, b) pads=[0,1,1,0,1,0] strides=[1,2,1]
        return y
      `,
      ops: "Reshape Conv Reshape",
    },
  ],
  [
    {
      name: "three frames",
      graph: `
        input x: float32[1,2,3,5,5]
        const w: float32[4,2,1,3,3] = random(1)
        y = Conv(x, w)
        return y
      `,
    },
  ],
);
