import type { GradientCase } from "../../harness/gradient.ts";

const lstm = (directions: number, extra: object = {}) => ({
  x: [3, 2, 2],
  w: [directions, 12, 2],
  r: [directions, 12, 3],
  ...extra,
});

const cell = (gates: number, directions: number, extra: object = {}) => ({
  x: [3, 2, 2],
  w: [directions, 3 * gates, 2],
  r: [directions, 3 * gates, 3],
  ...extra,
});

export const RECURRENT: readonly GradientCase[] = [
  { name: "LSTM", text: "y, h, c = LSTM(x, w, r, b) hidden_size=3", by: lstm(1, { b: [1, 24] }) },
  {
    name: "LSTM with first states",
    text: 'y = LSTM(x, w, r, b, "", h, c) hidden_size=3',
    by: lstm(1, { b: [1, 24], h: [1, 2, 3], c: [1, 2, 3] }),
  },
  {
    name: "LSTM backwards, last states",
    text: '"", h, c = LSTM(x, w, r) hidden_size=3 direction="reverse"',
    by: lstm(1),
  },
  {
    name: "LSTM in both directions",
    text: 'y, h, c = LSTM(x, w, r, b) hidden_size=3 direction="bidirectional"',
    by: lstm(2, { b: [2, 24] }),
  },
  { name: "LSTM of one step", text: "y = LSTM(x, w, r) hidden_size=3", by: { ...lstm(1), x: [1, 2, 2] } },
  { name: "GRU", text: "y, h = GRU(x, w, r, b) hidden_size=3", by: cell(3, 1, { b: [1, 18] }) },
  {
    name: "GRU, reset behind the product",
    text: 'y, h = GRU(x, w, r, b, "", f) hidden_size=3 linear_before_reset=1',
    by: cell(3, 1, { b: [1, 18], f: [1, 2, 3] }),
  },
  {
    name: "GRU backwards, last state",
    text: '"", h = GRU(x, w, r) hidden_size=3 direction="reverse" linear_before_reset=1',
    by: cell(3, 1),
  },
  {
    name: "GRU in both directions",
    text: 'y, h = GRU(x, w, r, b, "", f) hidden_size=3 direction="bidirectional"',
    by: cell(3, 2, { b: [2, 18], f: [2, 2, 3] }),
  },
  { name: "RNN", text: 'y, h = RNN(x, w, r, b, "", f) hidden_size=3', by: cell(1, 1, { b: [1, 6], f: [1, 2, 3] }) },
  {
    name: "RNN in both directions",
    text: 'y = RNN(x, w, r) hidden_size=3 direction="bidirectional"',
    by: cell(1, 2),
  },
];

const scales = (...values: number[]) => [`s: float32[${values.length}] = [${values}]`];

export const RESAMPLED: readonly GradientCase[] = [
  {
    name: "Resize nearest ×2",
    text: 'y = Resize(x, "", s) mode="nearest" coordinate_transformation_mode="asymmetric" nearest_mode="floor"',
    by: { x: [1, 2, 3, 2] },
    constants: scales(1, 1, 2, 2),
  },
  {
    name: "Resize nearest",
    text: 'y = Resize(x, "", s) mode="nearest"',
    by: { x: [1, 1, 4, 3] },
    constants: scales(1, 1, 1.5, 0.7),
  },
  {
    name: "Resize linear",
    text: 'y = Resize(x, "", s) mode="linear"',
    by: { x: [2, 1, 3, 4] },
    constants: scales(1, 1, 2, 1.5),
  },
  {
    name: "Resize linear, smaller",
    text: 'y = Resize(x, "", s) mode="linear" antialias=1',
    by: { x: [1, 1, 6, 5] },
    constants: scales(1, 1, 0.5, 0.6),
  },
  {
    name: "Resize cubic, corners aligned",
    text: 'y = Resize(x, "", "", z) mode="cubic" coordinate_transformation_mode="align_corners"',
    by: { x: [1, 1, 4, 3] },
    constants: ["z: int64[4] = [1, 1, 6, 5]"],
  },
];

export const TRANSPOSED: readonly GradientCase[] = [
  { name: "ConvTranspose", text: "y = ConvTranspose(x, w, b)", by: { x: [2, 2, 3, 3], w: [2, 3, 2, 2], b: [3] } },
  {
    name: "ConvTranspose strided",
    text: "y = ConvTranspose(x, w) strides=[2,3] pads=[1,0,1,1]",
    by: { x: [1, 2, 3, 3], w: [2, 2, 3, 3] },
  },
  {
    name: "ConvTranspose with output padding",
    text: "y = ConvTranspose(x, w) strides=[2,2] pads=[1,1,1,1] output_padding=[1,1]",
    by: { x: [1, 2, 3, 2], w: [2, 2, 3, 3] },
  },
  {
    name: "ConvTranspose grouped",
    text: "y = ConvTranspose(x, w) group=2 strides=[2,2]",
    by: { x: [2, 4, 2, 3], w: [4, 2, 2, 2] },
  },
  {
    name: "ConvTranspose depthwise",
    text: "y = ConvTranspose(x, w) group=3 strides=[2,2] pads=[1,1,0,0]",
    by: { x: [2, 3, 3, 3], w: [3, 1, 3, 3] },
  },
  {
    name: "ConvTranspose dilated",
    text: "y = ConvTranspose(x, w) dilations=[2,1]",
    by: { x: [1, 1, 3, 3], w: [1, 2, 2, 3] },
  },
];
