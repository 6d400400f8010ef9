import { testPass } from "../../harness/pass.ts";

testPass(
  "lower/channel-affine",
  [
    {
      name: "a gain and a shift",
      before: `
        input x: float32[2,3,4,4]
        const g: float32[1,3,1,1] = random(1)
        const b: float32[3,1,1] = random(2)
        y = Mul(x, g)
        z = Add(y, b)
        return z
      `,
      after: `
        input x: float32[2,3,4,4]
        const g: float32[3,1,1,1] = zeros
        const b: float32[3] = zeros
        z = Conv(x, g, b) dilations=[1,1] group=3 kernel_shape=[1,1] pads=[0,0,0,0] strides=[1,1]
        return z
      `,
    },
  ],
  [
    {
      name: "a constant along the columns",
      graph: `
        input x: float32[2,3,4,4]
        const g: float32[4] = random(1)
        z = Mul(x, g)
        return z
      `,
    },
    {
      name: "a gain computed at run time",
      graph: `
        input x: float32[2,3,4,4]
        input g: float32[1,3,1,1]
        z = Mul(x, g)
        return z
      `,
    },
  ],
);
