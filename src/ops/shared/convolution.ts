/** The plain convolution, for Conv and ConvInteger: input [n, c, …], weights [m, c/groups, …], both as doubles. */
import { type Dim, intAttr, intsAttr, type Node, type Type } from "../../ir/graph.ts";
import { makeType, reject, sizeOf } from "./types.ts";
import { forEachWindow, windowDims, windowOf } from "./window.ts";

/** Plain numbers with their shape. */
export interface Doubles {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** The kernel's spatial sizes: the `kernel_shape` attribute, else the weights'; throws where both are there and differ. */
export function kernelOf(node: Node, weights: readonly Dim[]): number[] {
  const given = intsAttr(node, "kernel_shape");
  const spatial = weights.slice(2);
  const clash =
    given !== undefined &&
    (given.length !== spatial.length || spatial.some((dim, axis) => typeof dim === "number" && dim !== given[axis]));
  if (clash) reject(node, `kernel_shape [${given}] does not fit the weights [${weights}]`);
  const kernel = given ?? spatial;
  if (kernel.some((size) => typeof size !== "number" || size < 1))
    reject(node, `the kernel's sizes [${kernel}] are not known and positive`);
  return kernel as number[];
}

/** Checks ranks, channels and groups; returns the number of groups. */
export function checkConvolution(node: Node, input: readonly Dim[], weights: readonly Dim[]): number {
  if (input.length < 3 || weights.length !== input.length) {
    reject(node, `an input of shape [${input}] and weights of shape [${weights}] do not convolve`);
  }
  const groups = intAttr(node, "group", 1);
  const [channels, perGroup, outputs] = [input[1], weights[1], weights[0]];
  if (groups < 1) reject(node, `group ${groups} is not positive`);
  if (typeof channels === "number" && typeof perGroup === "number" && channels !== perGroup * groups) {
    reject(
      node,
      `${channels} input channels, but the weights [${weights}] with group ${groups} take ${perGroup * groups}`,
    );
  }
  if (typeof outputs === "number" && outputs % groups !== 0)
    reject(node, `${outputs} output channels in ${groups} groups`);
  return groups;
}

/** Type of the output: [n, m, …], of the given dtype. */
export function inferConvolution(node: Node, input: Type, weights: Type, dtype: Type["dtype"]): Type {
  if (input.shape === undefined || weights.shape === undefined) return makeType(dtype);
  checkConvolution(node, input.shape, weights.shape);
  const spatial = windowDims(node, input.shape.slice(2), kernelOf(node, weights.shape));
  return makeType(dtype, [input.shape[0], weights.shape[0], ...spatial]);
}

/** Multiply-accumulates: every output element takes one from each weight of its filter. */
export function convolutionMacs(weights: readonly Dim[], output: readonly Dim[]): number {
  return sizeOf([...weights.slice(1), ...output]);
}

/** `y[n, m, p] = Σ x[n, c, p·stride + k·dilation − pad] · w[m, c, k]`; what lies in the padding counts 0. */
export function convolve(node: Node, input: Doubles, weights: Doubles): { shape: number[]; values: Float64Array } {
  const groups = checkConvolution(node, input.shape, weights.shape);
  const [batch, , ...sizes] = input.shape;
  const [filters, perGroup] = weights.shape;
  const window = windowOf(node, sizes, kernelOf(node, weights.shape));
  const shape = [batch, filters, ...window.output];
  const [plane, outputPlane] = [sizes, window.output].map((list) => list.reduce((a, b) => a * b, 1));
  const taps = window.kernel.reduce((a, b) => a * b, 1);
  const values = new Float64Array(batch * filters * outputPlane);
  const [x, w] = [Float64Array.from(input.values), Float64Array.from(weights.values)];
  const perFilter = perGroup * taps;
  const patch = new Float64Array(perFilter);
  forEachWindow(sizes, window, (position, offsets) => {
    for (let block = 0; block < batch * groups; block++) {
      const source = block * perGroup * plane;
      for (let channel = 0, at = 0; channel < perGroup; channel++) {
        for (let tap = 0; tap < taps; tap++) {
          const offset = offsets[tap];
          patch[at++] = offset < 0 ? 0 : x[source + channel * plane + offset];
        }
      }
      const [image, group] = [Math.floor(block / groups), block % groups];
      for (let filter = (group * filters) / groups; filter < ((group + 1) * filters) / groups; filter++) {
        let sum = 0;
        for (let at = 0; at < perFilter; at++) sum += patch[at] * w[filter * perFilter + at];
        values[(image * filters + filter) * outputPlane + position] = sum;
      }
    }
  });
  return { shape, values };
}
