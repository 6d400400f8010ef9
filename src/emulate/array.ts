/**
 * How long the array is busy with a product, from what the description puts on it: output pixels × output channels × channels
 * of the reduction in a step, the rest of the reduction in time, weights held for some steps, accumulators that drain beside
 * the next tile or before it.
 */
import type {
  CommandBody,
  ConvCommand,
  ConvMapping,
  DeconvCommand,
  MatMulCommand,
  Operand,
  Post,
  WeightOperand,
} from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { bytesOfElement, countOf } from "./operand.ts";

/** Numbers of a convolution that its cost depends on. */
type ConvShape = Pick<ConvCommand, "x" | "w" | "y" | "strides" | "dilations" | "groups" | "post">;

/** Multiply-accumulates that the array does in a cycle when nothing stands idle. */
export function peakMacs({ array }: Target): number {
  return (array.rows * array.columns * array.inputs) / array.stepCycles;
}

/**
 * Cycles to drain one used column: the stored codes of one channel of a tile through a port as wide as the vector unit,
 * which applies an interpolated table or the division by the row's sum on the way.
 */
function drainPerColumn(y: Operand, post: Post, divides: boolean, target: Target): number {
  const { array, vector } = target;
  const stored = (array.rows * bytesOfElement(y)) / vector.lanes;
  const computed = post.table !== undefined || divides ? (vector.steps.interpolate * array.rows) / vector.lanes : 0;
  return Math.max(1 / array.drainColumnsPerCycle, stored, computed);
}

/** Tiles of output pixels: of the fused sequence, or of a rectangle that ends at the image's edges. */
function pixelTiles(batch: number, height: number, width: number, { rows, pixels }: Target["array"]): number {
  if (pixels === "fused") return Math.ceil((batch * height * width) / rows);
  return batch * Math.ceil(height / pixels.height) * Math.ceil(width / pixels.width);
}

/** Steps of the reduction: channels on the lanes, or neighbours of a kernel row beside few channels. */
function reductionSteps(depth: number, height: number, width: number, { inputs, packing }: Target["array"]): number {
  let least = Math.ceil(depth / inputs) * height * width;
  if (depth > packing.channels) return least;
  for (let taps = 2; taps <= Math.min(packing.taps, width, inputs); taps++) {
    least = Math.min(least, Math.ceil(depth / Math.floor(inputs / taps)) * height * Math.ceil(width / taps));
  }
  return least;
}

/**
 * Cycles of a step: `stepCycles`, of which products with 4-bit weights take a part only, or what the activation port needs for the
 * pixels and all that lies between them.
 */
function stepCycles(stride: number, x: Operand, w: WeightOperand, { array }: Target): number {
  const { rows, inputs, pixels, gathers, activationPortBytes } = array;
  const alone = gathers || (pixels === "fused" ? rows : pixels.width) === 1;
  const spanned = rows * inputs * bytesOfElement(x) * (alone ? 1 : stride);
  return Math.max(array.stepCycles / (w.dtype === "int4" ? array.int4Rate : 1), spanned / activationPortBytes);
}

function passesOf(x: Operand, target: Target): number {
  return bytesOfElement(x) > 1 ? target.array.int16Passes : 1;
}

/** What one group of output channels costs on `tiles` tiles of pixels. */
interface Work {
  readonly tiles: number;
  readonly steps: number;
  /** Cycles of a step that waits for no weights. */
  readonly step: number;
  /** Bytes of a weight on its way to the array. */
  readonly weight: number;
  /** Cycles to drain a column of a tile. */
  readonly drain: number;
}

/** One load of weights serves `weightHold` tiles; the next arrives meanwhile. Whole cycles for each, as hardware must. */
function multiplyCycles({ tiles, steps, step, weight }: Work, columns: number, { array }: Target): number {
  const load = (columns * array.inputs * weight) / array.weightPortBytes;
  const loads = (held: number) => Math.ceil(steps * Math.max(held * step, load));
  const rest = tiles % array.weightHold;
  return Math.floor(tiles / array.weightHold) * loads(array.weightHold) + (rest > 0 ? loads(rest) : 0);
}

/** Σ over the tiles of one group of `channels`, `width` at once. */
function groupCycles(work: Work, channels: number, width: number, target: Target): number {
  const { drainHidden, skewCycles } = target.array;
  const of = (columns: number) => {
    const multiply = multiplyCycles(work, columns, target);
    const drain = work.tiles * Math.ceil(columns * work.drain);
    return (drainHidden ? Math.max(multiply, drain) : multiply + drain) + work.tiles * skewCycles;
  };
  const rest = channels % width;
  return Math.floor(channels / width) * of(width) + (rest > 0 ? of(rest) : 0);
}

function workOf({ x, w, y, strides, post }: ConvShape, steps: number, target: Target): Work {
  const [batch, , height, width] = y.shape;
  return {
    tiles: pixelTiles(batch, height, width, target.array),
    steps: steps * passesOf(x, target),
    step: stepCycles(strides[1], x, w, target),
    weight: bytesOfElement(w),
    drain: drainPerColumn(y, post, false, target),
  };
}

/** Groups one after the other. */
function denseCycles(conv: ConvShape, target: Target): number {
  const { w, groups } = conv;
  const steps = reductionSteps(w.shape[1], w.shape[2], w.shape[3], target.array);
  const { columns } = target.array;
  return Math.ceil(groups * groupCycles(workOf(conv, steps, target), w.shape[0] / groups, columns, target));
}

/** Depthwise, where a column can have a channel of its own; lanes of the reduction take neighbours of a kernel row. */
function channelCycles(conv: ConvShape, target: Target): number {
  const { array } = target;
  const steps = conv.w.shape[2] * Math.ceil(conv.w.shape[3] / Math.min(array.packing.taps, array.inputs));
  return Math.ceil(groupCycles(workOf(conv, steps, target), conv.w.shape[0], array.columns, target));
}

/**
 * Block-Toeplitz (depthwise): `block` neighbouring outputs of a row lie on the columns, the rows hold such blocks; a
 * channel needs each input column of the block once for every kernel row.
 */
function toeplitzCycles({ x, w, y, strides, dilations, post }: ConvShape, block: number, target: Target): number {
  const [batch, channels, height, width] = y.shape;
  const reach = (Math.min(block, width) - 1) * strides[1] + (w.shape[3] - 1) * dilations[1] + 1;
  const tiles = Math.ceil((batch * height * Math.ceil(width / block)) / target.array.rows);
  const drain = drainPerColumn(y, post, false, target);
  return Math.ceil(channels * tiles * Math.max(w.shape[2] * reach * passesOf(x, target), Math.ceil(block * drain)));
}

function macCycles({ x, w, y }: ConvShape, target: Target): number {
  const macs = countOf(y.shape) * w.shape[1] * w.shape[2] * w.shape[3];
  return Math.ceil((macs * target.vector.steps.mac * passesOf(x, target)) / target.vector.lanes);
}

function isDepthwise({ w, groups }: ConvShape): boolean {
  return groups > 1 && w.shape[1] === 1 && w.shape[0] === groups;
}

export interface MappingCost {
  readonly mapping: ConvMapping;
  readonly block: number;
  readonly cycles: number;
}

/**
 * Every mapping of a convolution that is legal on the target, with its cycles. Of a depthwise one the first is the array's
 * own way: a column at a time, or a channel a column where columns can read channels of their own.
 */
export function convMappings(conv: ConvShape, target: Target): MappingCost[] {
  if (!isDepthwise(conv)) return [{ mapping: "dense", block: 1, cycles: denseCycles(conv, target) }];
  const legal = target.array.depthwise;
  let best: MappingCost = { mapping: "toeplitz", block: 1, cycles: Number.POSITIVE_INFINITY };
  const widest = legal.includes("toeplitz") ? Math.min(target.array.columns, conv.y.shape[3]) : 0;
  for (let block = 2; block <= widest; block++) {
    const cycles = toeplitzCycles(conv, block, target);
    if (cycles < best.cycles) best = { mapping: "toeplitz", block, cycles };
  }
  const found: MappingCost[] = [{ mapping: "column", block: 1, cycles: ownCycles(conv, target) }];
  if (best.block > 1) found.push(best);
  if (legal.includes("vector")) found.push({ mapping: "vector", block: 1, cycles: macCycles(conv, target) });
  return found;
}

function ownCycles(conv: ConvShape, target: Target): number {
  const channels = isDepthwise(conv) && target.array.depthwise.includes("channels");
  return channels ? channelCycles(conv, target) : denseCycles(conv, target);
}

type Unplaced<T> = Omit<T, "npu" | "waits" | "origin">;

/** A convolution in the mapping that it has. */
export function convCycles(conv: Unplaced<ConvCommand>, target: Target): number {
  if (conv.mapping === "toeplitz") return toeplitzCycles(conv, conv.block, target);
  if (conv.mapping === "vector") return macCycles(conv, target);
  return ownCycles(conv, target);
}

function deconvWork({ x, w, groups }: Unplaced<DeconvCommand>, target: Target): Work {
  const { array } = target;
  return {
    tiles: pixelTiles(x.shape[0], x.shape[2], x.shape[3], array),
    steps: Math.ceil(x.shape[1] / groups / array.inputs) * w.shape[2] * w.shape[3] * passesOf(x, target),
    step: stepCycles(1, x, w, target),
    weight: bytesOfElement(w),
    drain: 0,
  };
}

/** Every input pixel meets every tap: s² fewer pixels than outputs, all taps of the outputs that they reach. */
export function deconvCycles(deconv: Unplaced<DeconvCommand>, target: Target): number {
  const { y, groups, post } = deconv;
  const { array } = target;
  const outputs = pixelTiles(y.shape[0], y.shape[2], y.shape[3], array);
  const channels = y.shape[1] / groups;
  const multiply = groupCycles(deconvWork(deconv, target), channels, array.columns, target);
  // The drain covers all outputs, the reduction only the input pixels.
  const drain = outputs * channels * drainPerColumn(y, post, false, target);
  return Math.ceil(groups * (array.drainHidden ? Math.max(multiply, drain) : multiply + drain));
}

/** Rows of a on the array's rows (the batch too where b is the same for all of it), columns of b on its columns. */
function matMulWork({ a, b, y, post, normalise }: Unplaced<MatMulCommand>, target: Target) {
  const rank = y.shape.length;
  const batch = countOf(y.shape.slice(0, -2));
  let products = 1;
  for (let axis = 0; axis < rank - 2; axis++) if (b.strides[axis] !== 0 && b.shape[axis] > 1) products *= b.shape[axis];
  const pixels = (y.shape[rank - 2] * batch) / products;
  const work: Work = {
    tiles: pixelTiles(1, 1, pixels, target.array),
    steps: reductionSteps(a.shape[rank - 1], 1, 1, target.array) * passesOf(a, target),
    step: stepCycles(1, a, b, target),
    weight: bytesOfElement(b),
    drain: drainPerColumn(y, post, normalise, target),
  };
  return { products, work };
}

export function matMulCycles(matMul: Unplaced<MatMulCommand>, target: Target): number {
  const { products, work } = matMulWork(matMul, target);
  const columns = matMul.y.shape[matMul.y.shape.length - 1];
  return Math.ceil(products * groupCycles(work, columns, target.array.columns, target));
}

/** What of a command overlaps with its neighbours on the array, in cycles. */
export interface ArrayEdges {
  /** The reduction of a tile, during which the tile before it drains. */
  readonly reduction: number;
  /** The drain of the last tile, during which the next command's first reduction goes on; 0 where nothing hides drains. */
  readonly drain: number;
}

function edgesOf(work: Work, channels: number, target: Target): ArrayEdges {
  const { columns, drainHidden } = target.array;
  const last = ((channels - 1) % columns) + 1;
  const reduction = multiplyCycles({ ...work, tiles: 1 }, last, target);
  return { reduction, drain: drainHidden ? Math.ceil(last * work.drain) : 0 };
}

/** Undefined for what the array does not do. */
export function arrayEdges(command: CommandBody, target: Target): ArrayEdges | undefined {
  if (command.engine !== "array") return undefined;
  if (command.kind === "matmul") {
    return edgesOf(matMulWork(command, target).work, command.y.shape[command.y.shape.length - 1], target);
  }
  if (command.kind === "deconv") {
    const drain = drainPerColumn(command.y, command.post, false, target);
    return edgesOf({ ...deconvWork(command, target), drain }, command.w.shape[1], target);
  }
  if (command.kind !== "conv") return undefined;
  const { w, y, strides, dilations, block, groups, mapping } = command;
  if (mapping === "toeplitz") {
    const reach = (Math.min(block, y.shape[3]) - 1) * strides[1] + (w.shape[3] - 1) * dilations[1] + 1;
    return edgesOf({ ...workOf(command, w.shape[2] * reach, target), step: 1 }, block, target);
  }
  const steps = reductionSteps(w.shape[1], w.shape[2], w.shape[3], target.array);
  return edgesOf(workOf(command, steps, target), w.shape[0] / groups, target);
}
