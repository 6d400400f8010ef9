import { testLowering } from "../../harness/lowering.ts";

testLowering(
  "lower/unroll",
  [
    {
      name: "a Loop of three rounds, with a state and slices",
      graph: `
        input x: float32[2]
        const count: int64[] = [3]
        const k: float32[2] = [0.5, 2]
        last, all = Loop(count, _, x) body={
          input i: int64[]
          input go: bool[]
          input s: float32[2]
          again = Identity(go)
          t = Mul(s, k)
          n = Add(t, x)
          return again, n, t
        }
        return last, all
      `,
      ops: "Mul Add Mul Add Mul Add Unsqueeze Unsqueeze Unsqueeze Concat",
    },
    {
      name: "a Loop that reads its round",
      graph: `
        input x: float32[3]
        const count: int64[] = [2]
        const yes: bool[] = [1]
        last = Loop(count, yes, x) body={
          input i: int64[]
          input go: bool[]
          input s: float32[3]
          const always: bool[] = [1]
          f = Cast(i) to=1
          n = Add(s, f)
          return always, n
        }
        return last
      `,
      ops: "Cast Add Cast Add",
    },
    {
      name: "a Scan backwards over columns",
      graph: `
        input h: float32[2]
        input x: float32[2,3]
        last, all = Scan(h, x) num_scan_inputs=1 scan_input_axes=[1] scan_input_directions=[1] scan_output_axes=[1] body={
          input s: float32[2]
          input c: float32[2]
          n = Add(s, c)
          y = Relu(n)
          return n, y
        }
        return last, all
      `,
      ops: "Gather Add Relu Gather Add Relu Gather Add Relu Unsqueeze Unsqueeze Unsqueeze Concat",
    },
  ],
  [
    {
      name: "a count that is computed",
      graph: `
        input x: float32[2]
        input count: int64[]
        last = Loop(count, _, x) body={
          input i: int64[]
          input go: bool[]
          input s: float32[2]
          n = Add(s, x)
          return go, n
        }
        return last
      `,
    },
    {
      name: "a condition that is computed",
      graph: `
        input x: float32[2]
        const count: int64[] = [3]
        const zero: float32[] = [0]
        last = Loop(count, _, x) body={
          input i: int64[]
          input go: bool[]
          input s: float32[2]
          n = Add(s, x)
          m = ReduceMax(n) keepdims=0
          again = Greater(m, zero)
          return again, n
        }
        return last
      `,
    },
    {
      name: "too many rounds",
      graph: `
        input x: float32[2]
        const count: int64[] = [65]
        last = Loop(count, _, x) body={
          input i: int64[]
          input go: bool[]
          input s: float32[2]
          n = Add(s, x)
          return go, n
        }
        return last
      `,
    },
  ],
);
