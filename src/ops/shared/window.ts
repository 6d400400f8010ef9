/** Geometry of sliding windows: convolution, its transpose, and pooling. All lists are per spatial axis. */
import { type Dim, intAttr, intsAttr, type Node, stringAttr } from "../../ir/graph.ts";
import { reject } from "./types.ts";

/** Places in one window: no network comes near it, and a file may ask for anything. */
const MOST_TAPS = 2 ** 24;

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before each axis, resolved from auto_pad. */
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly output: readonly number[];
}

/** strides, dilations and pads as attributes give them, checked against the number of spatial axes. */
export interface WindowAttrs {
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly begin: readonly number[];
  readonly end: readonly number[];
  readonly autoPad: string;
  readonly ceil: boolean;
}

export function windowAttrs(node: Node, axes: number): WindowAttrs {
  const list = (name: string, fallback: number, length: number, least: number): number[] => {
    const given = intsAttr(node, name);
    if (given === undefined || given.length === 0) return new Array<number>(length).fill(fallback);
    if (given.length !== length) reject(node, `${name} has ${given.length} entries; ${length} are needed`);
    if (given.some((value) => value < least)) reject(node, `${name} [${given}] has an entry below ${least}`);
    return given;
  };
  const autoPad = stringAttr(node, "auto_pad", "NOTSET");
  if (!["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"].includes(autoPad))
    reject(node, `auto_pad ${autoPad} is not known`);
  const pads =
    autoPad === "NOTSET" ? list("pads", 0, axes * 2, Number.NEGATIVE_INFINITY) : new Array<number>(axes * 2).fill(0);
  return {
    strides: list("strides", 1, axes, 1),
    dilations: list("dilations", 1, axes, 1),
    begin: pads.slice(0, axes),
    end: pads.slice(axes),
    autoPad,
    ceil: intAttr(node, "ceil_mode", 0) === 1,
  };
}

/** Extent of a dilated kernel. */
export function extentOf(kernel: number, dilation: number): number {
  return (kernel - 1) * dilation + 1;
}

/**
 * The whole geometry for known sizes. Output (auto_pad NOTSET): ⌊(in + pads − extent) / stride⌋ + 1, with ⌈⌉ in ceil_mode,
 * where a last window that would start in the padding at the end is dropped. SAME: ⌈in / stride⌉.
 */
export function windowOf(node: Node, sizes: readonly number[], kernel: readonly number[]): Window {
  const attributes = windowAttrs(node, kernel.length);
  const { strides, dilations, autoPad } = attributes;
  if (sizes.length !== kernel.length)
    reject(node, `the kernel has ${kernel.length} axes but the input ${sizes.length}`);
  if (kernel.reduce((a, b) => a * b, 1) > MOST_TAPS) reject(node, `a window of [${kernel}] is too large`);
  const begin = [...attributes.begin];
  const end = [...attributes.end];
  const output = sizes.map((size, axis) => {
    const extent = extentOf(kernel[axis], dilations[axis]);
    const stride = strides[axis];
    if (autoPad.startsWith("SAME")) {
      const count = Math.ceil(size / stride);
      const total = Math.max(0, (count - 1) * stride + extent - size);
      const less = Math.floor(total / 2);
      begin[axis] = autoPad === "SAME_UPPER" ? less : total - less;
      end[axis] = total - begin[axis];
      return count;
    }
    const padded = size + begin[axis] + end[axis];
    if (padded < extent)
      reject(node, `a window of ${extent} does not fit the padded size ${padded} (spatial axis ${axis})`);
    const steps = (padded - extent) / stride;
    let count = (attributes.ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    if (attributes.ceil && (count - 1) * stride >= size + begin[axis]) count -= 1;
    return count;
  });
  return { kernel, strides, dilations, begin, end, output };
}

/** Output sizes where some input sizes are symbolic: those stay "?" (a symbol survives stride 1 with SAME padding). */
export function windowDims(node: Node, sizes: readonly Dim[], kernel: readonly number[]): Dim[] {
  const { strides, dilations, autoPad, begin, end } = windowAttrs(node, kernel.length);
  const known = windowOf(
    node,
    sizes.map((size, axis) => (typeof size === "number" ? size : symbolStandIn(axis))),
    kernel,
  );
  return sizes.map((size, axis) => {
    if (typeof size === "number") return known.output[axis];
    const extent = extentOf(kernel[axis], dilations[axis]);
    const keeps = strides[axis] === 1 && (autoPad.startsWith("SAME") || begin[axis] + end[axis] === extent - 1);
    return keeps ? size : "?";
  });
  // Large enough for any window, so that the known axes are checked and the symbolic ones are not.
  function symbolStandIn(axis: number): number {
    return extentOf(kernel[axis], dilations[axis]) + Math.abs(begin[axis]) + Math.abs(end[axis]);
  }
}

/**
 * Calls `visit(output, window)` … for every output position: `taps` holds, for each kernel position in row-major order,
 * the flat offset in the input's spatial plane, or −1 where it falls into the padding. `start` is the window's first
 * index per axis (it may be negative).
 */
export function forEachWindow(
  sizes: readonly number[],
  window: Window,
  visit: (position: number, taps: Int32Array, start: readonly number[]) => void,
): void {
  const axes = sizes.length;
  const kernelCount = window.kernel.reduce((a, b) => a * b, 1);
  const outputCount = window.output.reduce((a, b) => a * b, 1);
  const taps = new Int32Array(kernelCount);
  const start = new Array<number>(axes).fill(0);
  for (let position = 0; position < outputCount; position++) {
    for (let axis = axes - 1, rest = position; axis >= 0; axis--) {
      start[axis] = (rest % window.output[axis]) * window.strides[axis] - window.begin[axis];
      rest = Math.floor(rest / window.output[axis]);
    }
    for (let tap = 0; tap < kernelCount; tap++) taps[tap] = tapOffset(tap, start, sizes, window);
    visit(position, taps, start);
  }
}

function tapOffset(tap: number, start: readonly number[], sizes: readonly number[], window: Window): number {
  let offset = 0;
  let stride = 1;
  for (let axis = sizes.length - 1, rest = tap; axis >= 0; axis--) {
    const at = start[axis] + (rest % window.kernel[axis]) * window.dilations[axis];
    rest = Math.floor(rest / window.kernel[axis]);
    if (at < 0 || at >= sizes[axis]) return -1;
    offset += at * stride;
    stride *= sizes[axis];
  }
  return offset;
}
