import type { LoweringCase } from "./lower-cases.ts";

/** Operators that move numbers: Reshape to Resize. */
export const MOVES: readonly LoweringCase[] = [
  {
    name: "moves",
    graph: `
      input x: float32[2,3,4,4]
      const shape: int64[3] = [2,3,16]
      const starts: int64[2] = [1, 15]
      const ends: int64[2] = [3, -17]
      const axes: int64[2] = [1, 2]
      const steps: int64[2] = [1, -2]
      a = Reshape(x, shape)
      b = Slice(a, starts, ends, axes, steps)
      y = Transpose(b) perm=[2,0,1]
      return y
    `,
  },
  {
    name: "Concat of different ranges",
    graph: `
      input a: float32[2,3]
      input x: float32[2,5]
      const s: float32[] = [0.1]
      b = Mul(x, s)
      y = Concat(a, b, a) axis=1
      return y
    `,
  },
  {
    name: "Split",
    graph: `
      input x: float32[2,6]
      const sizes: int64[2] = [2, 4]
      y, z = Split(x, sizes) axis=1
      return y, z
    `,
  },
  {
    name: "Pad with a number",
    graph: `
      input x: float32[2,3]
      const pads: int64[4] = [0,1,1,2]
      const value: float32[] = [1.5]
      y = Pad(x, pads, value)
      return y
    `,
  },
  {
    name: "Pad by reflection",
    graph: `
      input x: float32[2,5]
      const pads: int64[4] = [0,1,0,2]
      y = Pad(x, pads) mode="reflect"
      return y
    `,
  },
  {
    name: "Expand, Tile, Gather",
    graph: `
      input x: float32[1,3]
      const shape: int64[2] = [4,3]
      const repeats: int64[2] = [1,2]
      const indices: int64[3] = [0,-1,2]
      a = Expand(x, shape)
      b = Tile(a, repeats)
      y = Gather(b, indices) axis=1
      return y
    `,
  },
  {
    name: "TensorScatter",
    graph: `
      graph g opset 24
      input x: float32[1,2,5,3]
      input u: float32[1,2,2,3]
      const at: int64[1] = [4]
      y = TensorScatter(x, u, at) mode="circular"
      return y
    `,
  },
  {
    name: "DepthToSpace",
    graph: `
      input x: float32[1,8,3,3]
      y = DepthToSpace(x) blocksize=2 mode="CRD"
      return y
    `,
  },
  {
    name: "SpaceToDepth",
    graph: `
      input x: float32[1,2,4,4]
      y = SpaceToDepth(x) blocksize=2
      return y
    `,
  },
  {
    name: "Resize, nearest",
    graph: `
      input x: float32[1,2,4,4]
      const scales: float32[4] = [1,1,2,2]
      y = Resize(x, _, scales) mode="nearest" coordinate_transformation_mode="asymmetric" nearest_mode="floor"
      return y
    `,
  },
  {
    name: "Resize, linear",
    graph: `
      input x: float32[1,2,4,4]
      const scales: float32[4] = [1,1,2,2]
      y = Resize(x, _, scales) mode="linear"
      return y
    `,
  },
  {
    name: "Resize, cubic",
    graph: `
      input x: float32[1,2,5,4]
      const scales: float32[4] = [1,1,1.6,2]
      y = Resize(x, _, scales) mode="cubic"
      return y
    `,
    // Overshoots saturate at the ends of the input's range.
    steps: { int8: 32, int16: 8000 },
    error: { int8: 0.15, int16: 0.15 },
  },
  {
    name: "Resize, cubic without what lies outside",
    graph: `
      input x: float32[1,2,5,4]
      const scales: float32[4] = [1,1,2,1]
      y = Resize(x, _, scales) mode="cubic" exclude_outside=1 coordinate_transformation_mode="asymmetric"
      return y
    `,
    steps: { int8: 32, int16: 8000 },
    error: { int8: 0.15, int16: 0.15 },
  },
];
