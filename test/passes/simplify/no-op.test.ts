import { testPass } from "../../harness/pass.ts";

/** A node between two others that must go. */
function removed(name: string, line: string, constants = "", shape = "[2,3]"): Parameters<typeof testPass>[1][number] {
  return {
    name,
    before: `input x: float32${shape}\n${constants}\na = Relu(x)\n${line}\ny = Neg(b)\nreturn y`,
    after: `input x: float32${shape}\na = Relu(x)\ny = Neg(a)\nreturn y`,
  };
}

function kept(name: string, line: string, constants = "", shape = "[2,3]"): Parameters<typeof testPass>[2][number] {
  return { name, graph: `input x: float32${shape}\n${constants}\na = Relu(x)\n${line}\ny = Neg(b)\nreturn y` };
}

testPass(
  "simplify/no-op",
  [
    removed("Identity", "b = Identity(a)"),
    removed("Dropout", "b = Dropout(a)"),
    removed("Cast to the same type", "b = Cast(a) to=1"),
    removed("CastLike of the same type", "b = CastLike(a, x)"),
    removed("Reshape to the same shape", "b = Reshape(a, s)", "const s: int64[2] = [2, -1]"),
    removed("Flatten of a matrix", "b = Flatten(a)"),
    removed("Expand to the same shape", "b = Expand(a, s)", "const s: int64[2] = [2, 1]"),
    removed("Transpose of nothing", "b = Transpose(a) perm=[0,1]"),
    removed("Slice of everything", "b = Slice(a, s, e)", "const s: int64[2] = [0, 0]\nconst e: int64[2] = [9, 9]"),
    removed("Pad by nothing", "b = Pad(a, p)", "const p: int64[4] = zeros"),
    removed("Concat of one", "b = Concat(a) axis=0"),
    removed("x + 0", "b = Add(a, c)", "const c: float32[] = 0"),
    removed("0 + x", "b = Add(c, a)", "const c: float32[3] = zeros"),
    removed("x · 1", "b = Mul(a, c)", "const c: float32[1] = [1]"),
    removed("x / 1", "b = Div(a, c)", "const c: float32[] = 1"),
    removed("x ^ 1", "b = Pow(a, c)", "const c: float32[] = 1"),
    removed("Clip without limits", "b = Clip(a)"),
    removed("Tile once", "b = Tile(a, c)", "const c: int64[2] = [1, 1]"),
    removed("the average of one element", "b = GlobalAveragePool(a)", "", "[1,2,1,1]"),
    removed("a window of one", "b = MaxPool(a) kernel_shape=[1,1]", "", "[1,2,3,3]"),
    {
      name: "several in a row, before an output: the value takes the output's name",
      before: "input x: float32[2]\na = Relu(x)\nb = Identity(a)\ny = Identity(b)\nz = Neg(b)\nreturn y, z",
      after: "input x: float32[2]\ny = Relu(x)\nz = Neg(y)\nreturn y, z",
    },
    {
      name: "a state's value",
      before: "input h: float32[2]\nstate g -> h = zeros\na = Relu(h)\ng = Identity(a)\ny = Neg(g)\nreturn y",
      after: "input h: float32[2]\nstate a -> h = zeros\na = Relu(h)\ny = Neg(a)\nreturn y",
    },
    {
      name: "an output that is an input stays, but others read the input",
      before: "input x: float32[2]\ny = Identity(x)\nz = Neg(y)\nreturn y, z",
      after: "input x: float32[2]\ny = Identity(x)\nz = Neg(x)\nreturn y, z",
    },
  ],
  [
    kept("0 that widens the value", "b = Add(a, c)", "const c: float32[4,2,3] = zeros"),
    kept("0 − x", "b = Sub(c, a)", "const c: float32[] = 0"),
    kept("1 / x", "b = Div(c, a)", "const c: float32[] = 1"),
    kept(
      "a reversing Slice",
      "b = Slice(a, s, e, x0, m)",
      "const s: int64[1] = [-1]\nconst e: int64[1] = [-9]\nconst x0: int64[1] = [0]\nconst m: int64[1] = [-1]",
    ),
    kept("a Pad that shifts", "b = Pad(a, p)", "const p: int64[4] = [1, 0, -1, 0]"),
    kept("a Transpose of two equal axes", "b = Transpose(a) perm=[1,0]", "", "[2,2]"),
    { name: "a graph of an input alone", graph: "input x: float32[2]\ny = Identity(x)\nreturn y" },
    {
      name: "an Identity that quantizes",
      graph: "input x: float32[2]\na = Relu(x)\nb: int8[2]{scale=0.5} = Identity(a)\ny = Neg(b)\nreturn y",
    },
    {
      name: "Dropout whose mask is read",
      graph: "input x: float32[2]\na, m = Dropout(x)\nreturn a, m",
    },
  ],
);
