import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/mask",
  [
    {
      name: "the least number",
      graph: `
        input x: float32[2,3]
        const m: float32[3] = [0, -3.4e38, -0.5]
        a = Add(x, m)
        y = Softmax(a)
        return y
      `,
      ops: "Add Softmax",
    },
    {
      name: "a mask that is made at run time, shared by two layers",
      graph: `
        input a: float32[2,3]
        input b: float32[2,3]
        input seen: float32[1,3]
        const one: float32[] = [1]
        const never: float32[] = [-10000]
        const shape: int64[1] = [3]
        s = Relu(seen)
        m0 = Ceil(s)
        m1 = Min(m0, one)
        m2 = Sub(one, m1)
        m3 = Mul(m2, never)
        m = Reshape(m3, shape)
        c = Add(a, m)
        y = Softmax(c)
        d = Add(b, m)
        z = Softmax(d)
        return y, z
      `,
      ops: "Relu Ceil Min Sub Mul Reshape Add Softmax Add Softmax",
    },
    {
      name: "a choice",
      graph: `
        input a: float32[2,3]
        input b: float32[2,3]
        const low: float32[] = [-1e9]
        c = Less(a, b)
        m = Where(c, a, low)
        y = Softmax(m)
        return y
      `,
      ops: "Less Where Softmax",
    },
  ],
  [
    {
      name: "numbers that something else reads",
      graph: `
        input a: float32[2,3]
        const low: float32[3] = [0, -1e9, 0]
        m = Add(a, low)
        y = Softmax(m)
        z = Relu(m)
        return y, z
      `,
    },
    {
      name: "offsets of scores",
      graph: `
        input x: float32[2,3]
        const m: float32[3] = [0, -200, -2000]
        a = Add(x, m)
        y = Softmax(a)
        return y
      `,
    },
    {
      name: "a shift",
      graph: `
        input x: float32[2,3]
        const m: float32[3] = [0, -2, -3]
        a = Add(x, m)
        y = Softmax(a)
        return y
      `,
    },
  ],
);
