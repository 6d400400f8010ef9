import { testPass } from "../../harness/pass.ts";

testPass(
  "simplify/constant-if",
  [
    {
      name: "takes the branch in, with fresh names and its constants",
      before: `
        input x: float32[2]
        const c: bool[] = 1
        y = If(c) then_branch={
          const k: float32[2] = [1, 2]
          a = Add(x, k)
          b = Relu(a)
          return b
        } else_branch={
          a = Neg(x)
          return a
        }
        z = Neg(y)
        return z
      `,
      after: `
        input x: float32[2]
        const k: float32[2] = zeros
        a = Add(x, k)
        y = Relu(a)
        z = Neg(y)
        return z
      `,
    },
    {
      name: "a branch that gives an outer value, and one value twice",
      before: `
        input x: float32[2]
        const c: bool[] = 0
        p, q, r = If(c) then_branch={ a = Neg(x)
          return a, a, a } else_branch={ b = Relu(x)
          return x, b, b }
        return p, q, r
      `,
      after: `
        input x: float32[2]
        q = Relu(x)
        p = Identity(x)
        r = Identity(q)
        return p, q, r
      `,
    },
    {
      name: "an If inside the branch keeps what it captures",
      before: `
        input d: bool[]
        input x: float32[2]
        const c: bool[] = 1
        y = If(c) then_branch={
          a = Relu(x)
          e = If(d) then_branch={ return a } else_branch={ f = Neg(a)
            return f }
          return e
        } else_branch={ return x }
        return y
      `,
      after: `
        input d: bool[]
        input x: float32[2]
        a = Relu(x)
        y = If(d) else_branch={ f = Neg(a)
          return f } then_branch={ return a }
        return y
      `,
    },
    {
      name: "two of them with the same names inside",
      before: `
        input x: float32[2]
        const c: bool[] = 1
        y = If(c) then_branch={ a = Neg(x)
          b = Relu(a)
          return b } else_branch={ return x }
        z = If(c) then_branch={ a = Relu(x)
          b = Neg(a)
          return b } else_branch={ return x }
        return y, z
      `,
      after: `
        input x: float32[2]
        a = Neg(x)
        y = Relu(a)
        a_1 = Relu(x)
        z = Neg(a_1)
        return y, z
      `,
    },
  ],
  [
    {
      name: "a condition computed at run time",
      graph:
        "input c: bool[]\ninput x: float32[2]\ny = If(c) then_branch={ return x } else_branch={ a = Neg(x)\nreturn a }\nreturn y",
    },
  ],
);
