import { testPass } from "../../harness/pass.ts";

testPass(
  "simplify/dead-code",
  [
    {
      name: "a chain that nothing reads, with its constants",
      before: `
        input x: float32[2]
        const c: float32[2] = [1, 2]
        const unread: float32[1] = [1]
        a = Add(x, c)
        b = Relu(a)
        y = Neg(x)
        return y
      `,
      after: "input x: float32[2]\ny = Neg(x)\nreturn y",
    },
  ],
  [
    {
      name: "values that only a subgraph or a state reads",
      graph: `
        input c: bool[]
        input h: float32[2]
        state g -> h = zeros
        g = Relu(h)
        a = Neg(h)
        y = If(c) then_branch={ return a } else_branch={ return h }
        return y
      `,
    },
    {
      name: "one output that is read of two",
      graph: "input x: float32[4]\na, b = Split(x) axis=0 num_outputs=2\nreturn a",
    },
  ],
);
