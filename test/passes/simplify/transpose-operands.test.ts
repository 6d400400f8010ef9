import { testPass } from "../../harness/pass.ts";

const HEAD = "input p: float32[2,3]\ninput q: float32[2,3]";

testPass(
  "simplify/transpose-operands",
  [
    {
      name: "a sum, and a product of it",
      before: `${HEAD}
        a = Transpose(p) perm=[1,0]
        b = Transpose(q) perm=[1,0]
        s = Add(a, b)
        c = Transpose(q) perm=[1,0]
        y = Sub(c, s)
        return y
      `,
      after: `${HEAD}
        s_1 = Add(p, q)
        y_1 = Sub(q, s_1)
        y = Transpose(y_1) perm=[1,0]
        return y
      `,
    },
  ],
  [
    {
      name: "other orders of the axes",
      graph: `${HEAD}
        input r: float32[3,2]
        a = Transpose(p) perm=[1,0]
        b = Transpose(r) perm=[0,1]
        y = Add(a, b)
        return y, q
      `,
    },
    {
      name: "an operand of another rank",
      graph: `
        input p: float32[2,3]
        input r: float32[1,2,3]
        a = Transpose(p)
        b = Transpose(r)
        y = Add(a, b)
        return y
      `.replace("float32[1,2,3]", "float32[2,3,1]"),
    },
    {
      name: "an operand that something else reads",
      graph: `${HEAD}\na = Transpose(p)\nb = Transpose(q)\ny = Add(a, b)\nreturn y, a`,
    },
  ],
);
