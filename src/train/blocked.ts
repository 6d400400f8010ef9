/**
 * A step's convolutions on ONNX Runtime's kernels for channels in blocks. The runtime takes them by itself only where weights
 * are constants; a training's are inputs, and the kernels take those as well once they are laid out as constants would be:
 * [m/b, c/b, …, b, b] (input lane, output lane).
 */
import { type Graph, intAttr, intsAttr, isStatic, type Node, typeOf } from "../ir/graph.ts";
import { numbersOf } from "../ir/tensor.ts";
import { windowAttributes } from "../ops/gradient/convolution.ts";
import { kernelOf } from "../ops/shared/convolution.ts";
import { windowOf } from "../ops/shared/window.ts";
import { type Draft, draftOf, graphOf, type Put, putting, shapeOf } from "./drafting.ts";
import { BLOCKED_DOMAIN } from "./layout.ts";

/** Channels that ONNX Runtime reorders must be a multiple of this. */
const EVEN_CHANNELS = 4;

interface Blocks extends Draft {
  /** By the name of images: the same with the images in blocks, each with all its channels. */
  readonly images: Map<string, string>;
}

const NO_PADDING = [0, 0, 0, 0, 0, 0, 0, 0];

/** What a convolution is to the kernels: which layout its weights want, and whether its input is in blocks. */
type Kind = "dense" | "few channels" | "depthwise";

/**
 * The same graph with its two-dimensional float32 convolutions in blocks of `block` channels, where their weights are no
 * constants and the kernels are faster: with more than one place, or a channel a group. The order of additions is another;
 * shapes must be known.
 */
export function withBlockedConvolutions(graph: Graph, block: number): Graph {
  const draft: Blocks = { ...draftOf(graph, block), images: new Map() };
  let found = false;
  for (const node of graph.nodes) {
    const kind = kindOf(draft, node);
    if (kind === undefined) {
      draft.nodes.push(node);
      continue;
    }
    convolve(draft, node, kind);
    found = true;
  }
  return found ? graphOf(draft) : graph;
}

function kindOf({ graph, block }: Blocks, node: Node): Kind | undefined {
  if (node.op !== "Conv" || node.domain !== "" || graph.constants.has(node.inputs[1])) return undefined;
  const [x, w] = [typeOf(graph, node.inputs[0]), typeOf(graph, node.inputs[1])];
  if (x?.dtype !== "float32" || w?.dtype !== "float32" || !isStatic(x.shape) || !isStatic(w.shape)) return undefined;
  if (x.shape.length !== 4 || [...x.shape, ...w.shape].some((size) => size === 0)) return undefined;
  const groups = intAttr(node, "group", 1);
  const [filters, , ...kernel] = w.shape;
  const channels = x.shape[1];
  const even = channels >= block && channels % EVEN_CHANNELS === 0;
  if (groups > 1) return even && groups === channels && groups === filters ? "depthwise" : undefined;
  // A pointwise convolution is a product of matrices as it stands, and few filters would fill few of the lanes.
  if (kernel.every((size) => size === 1) || 2 * filters < block) return undefined;
  if (channels < block) return "few channels";
  return even ? "dense" : undefined;
}

function convolve(draft: Blocks, node: Node, kind: Kind): void {
  const [x, w, bias] = node.inputs;
  const [y] = node.outputs;
  const shape = shapeOf(draft, w);
  const kernel = kernelOf(node, shape);
  const [filters] = shape;
  const padded = inBlocks(filters, draft.block);
  const put = putting(draft, node);
  const inputs = [kind === "few channels" ? x : blockedOf(draft, x, put), filterOf(draft, w, kind, put)];
  if (bias) inputs.push(padded === filters ? bias : put("Pad", [bias, put.list(0, padded - filters)]));
  const window = windowOf(node, shapeOf(draft, x).slice(2), kernel);
  const attributes = windowAttributes({ ...window, groups: kind === "depthwise" ? padded : 1 });
  const made = put("Conv", inputs, { attributes, domain: BLOCKED_DOMAIN });
  draft.blocked.set(y, made);
  const back = { attributes: { channels: { i: filters } }, domain: BLOCKED_DOMAIN, output: y };
  put("ReorderOutput", [made], back);
}

function inBlocks(count: number, block: number): number {
  return Math.ceil(count / block) * block;
}

/**
 * An activation [n, c, y, x] in blocks: reordered once for all that read it. Images that are cut from a value, and planes that
 * become channels, are cut and counted in blocks already.
 */
function blockedOf(draft: Blocks, value: string, put: Put): string {
  const before = draft.blocked.get(value);
  if (before !== undefined) return before;
  const made =
    cutImages(draft, value, put) ??
    planesAsChannels(draft, value, put) ??
    imagesAsChannels(draft, value, put) ??
    reordered(value, put);
  draft.blocked.set(value, made);
  return made;
}

function reordered(value: string, put: Put): string {
  return put("ReorderInput", [value], { domain: BLOCKED_DOMAIN });
}

/** Is the value cut along its first axis alone from something in blocks? Then its blocks are cut from those. */
function cutImages(draft: Blocks, value: string, put: Put): string | undefined {
  const maker = draft.makers.get(value);
  if (maker?.op !== "Slice" || maker.domain !== "") return undefined;
  const axes = draft.graph.constants.get(maker.inputs[3] ?? "");
  const source = draft.blocked.get(maker.inputs[0]);
  if (source === undefined || axes === undefined || numbersOf(axes).join() !== "0") return undefined;
  return put("Slice", [source, ...maker.inputs.slice(1)]);
}

/** [n, c, y, x] read as [1, n·c, y, x] keeps its blocks where c is made of whole ones. */
function planesAsChannels(draft: Blocks, value: string, put: Put): string | undefined {
  const maker = draft.makers.get(value);
  if (maker?.op !== "Reshape" || maker.domain !== "") return undefined;
  const [from, to] = [shapeOf(draft, maker.inputs[0]), shapeOf(draft, value)];
  const same = from.length === 4 && to.length === 4 && from[2] === to[2] && from[3] === to[3];
  if (!same || to[0] !== 1 || from[1] % draft.block !== 0) return undefined;
  return put.reshape(blockedOf(draft, maker.inputs[0], put), to);
}

/**
 * [n, c, y, x] with images and channels exchanged, some images of it and padded: the images are put side by side for all parts
 * at once, and what is then cut and padded are rows of whole blocks instead of single numbers.
 */
function imagesAsChannels(draft: Blocks, value: string, put: Put): string | undefined {
  const { block } = draft;
  const maker = draft.makers.get(value);
  if (maker?.op !== "Transpose" || maker.domain !== "" || intsAttr(maker, "perm")?.join() !== "1,0,2,3")
    return undefined;
  const pad = padOf(draft, maker.inputs[0]);
  const [images, channels, ...sizes] = shapeOf(draft, pad.source);
  const [first, , ...begin] = pad.amounts;
  const [last, inner, ...end] = pad.amounts.slice(4);
  const whole = [images, first, last].every((count) => count % block === 0) && first <= 0 && last <= 0;
  if (!whole || pad.amounts[1] !== 0 || inner !== 0) return undefined;
  const flat = [1, images, channels * sizes[0], sizes[1]];
  const all = draft.images.get(pad.source) ?? reordered(put.reshape(pad.source, flat), put);
  draft.images.set(pad.source, all);
  const lines = put.reshape(all, [images / block, channels, sizes[0], sizes[1] * block]);
  const amounts = [first / block, 0, begin[0], begin[1] * block, last / block, 0, end[0], end[1] * block];
  const padded = amounts.some((amount) => amount !== 0) ? put("Pad", [lines, put.list(...amounts)]) : lines;
  const shape = shapeOf(draft, value);
  const blocks = shape[1] / block;
  if (blocks === 1) return put.reshape(padded, shape);
  const plane = shape[2] * shape[3] * block;
  return put.reshape(put.transpose(put.reshape(padded, [blocks, channels, plane]), [1, 0, 2]), shape);
}

/** What a value of four axes was padded or cropped from with zeros, and by how much; by nothing where it was not. */
function padOf(draft: Blocks, value: string): { source: string; amounts: readonly number[] } {
  const maker = draft.makers.get(value);
  const amounts = draft.graph.constants.get(maker?.inputs[1] ?? "");
  const zeros = maker?.op === "Pad" && maker.domain === "" && maker.inputs.length === 2 && !maker.attrs.has("mode");
  if (maker === undefined || !zeros || amounts === undefined) return { source: value, amounts: NO_PADDING };
  return { source: maker.inputs[0], amounts: numbersOf(amounts).map(Number) };
}

function filterOf(draft: Blocks, weights: string, kind: Kind, put: Put): string {
  if (kind === "depthwise") return depthwiseFilter(draft, weights, put);
  const { block } = draft;
  const [filters, channels, ...kernel] = shapeOf(draft, weights);
  const rows = inBlocks(filters, block);
  const taps = kernel[0] * kernel[1];
  if (kind === "few channels") {
    const split = put.reshape(padded(weights, [rows - filters, 0], put), [rows / block, block, channels, taps]);
    return put.reshape(put.transpose(split, [0, 2, 3, 1]), [rows, channels, ...kernel]);
  }
  const turned = turnedFilter(draft, weights, put);
  if (turned !== undefined) return turned;
  const columns = inBlocks(channels, block);
  const whole = padded(weights, [rows - filters, columns - channels], put);
  const split = put.reshape(whole, [rows / block, block, columns / block, block, taps]);
  return put.reshape(put.transpose(split, [0, 2, 4, 3, 1]), [rows, columns, ...kernel]);
}

/** Zeros after the first two axes of four. */
function padded(value: string, [first, second]: readonly [number, number], put: Put): string {
  return first + second === 0 ? value : put("Pad", [value, put.list(0, 0, 0, 0, first, second, 0, 0)]);
}

/**
 * Weights that are something else with its first two axes exchanged (the gradient that comes back, or weights on the way back):
 * their lanes of filters are what reordering puts side by side, so whole lanes move instead of single numbers.
 */
function turnedFilter(draft: Blocks, weights: string, put: Put): string | undefined {
  const { block } = draft;
  const maker = draft.makers.get(weights);
  if (maker?.op !== "Transpose" || maker.domain !== "" || intsAttr(maker, "perm")?.join() !== "1,0,2,3")
    return undefined;
  const [filters, channels, ...kernel] = shapeOf(draft, weights);
  if (channels % block !== 0 || filters % EVEN_CHANNELS !== 0) return undefined;
  const rows = inBlocks(filters, block);
  const lanes = blockedOf(draft, maker.inputs[0], put);
  const split = put.reshape(lanes, [channels / block, block, rows / block, kernel[0] * kernel[1], block]);
  return put.reshape(put.transpose(split, [2, 0, 3, 1, 4]), [rows, channels, ...kernel]);
}

/** [m, 1, …] as [m/b, …, b]: what an image of m channels is in blocks. */
function depthwiseFilter(draft: Blocks, weights: string, put: Put): string {
  const [filters, , ...kernel] = shapeOf(draft, weights);
  const rows = inBlocks(filters, draft.block);
  const maker = draft.makers.get(weights);
  const source = maker?.op === "Reshape" && maker.domain === "" ? maker.inputs[0] : "";
  const from = shapeOf(draft, source);
  const planes = from.length === 4 && from[1] % draft.block === 0 && from[2] === kernel[0] && from[3] === kernel[1];
  const lanes = planes ? blockedOf(draft, source, put) : reordered(put.reshape(weights, [1, filters, ...kernel]), put);
  return put.reshape(lanes, [rows, 1, ...kernel]);
}
