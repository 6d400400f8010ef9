/**
 * How long an engine is busy with one command, in cycles of the NPU's clock: the first-order model of the array (output
 * pixels × output channels, reduction in time, drain hidden behind the next tile) and of the vector unit (passes over
 * the elements). All figures come from the target.
 */
import type {
  CommandBody,
  ConvCommand,
  ConvMapping,
  DeconvCommand,
  MatMulCommand,
  Operand,
  Post,
} from "../schedule/program.ts";
import type { Target, VectorStep } from "../target/schema.ts";

const BYTES: Readonly<Record<Operand["dtype"], number>> = {
  int8: 1,
  uint8: 1,
  bool: 1,
  int16: 2,
  uint16: 2,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  uint32: 4,
  float32: 4,
  int64: 8,
  uint64: 8,
  float64: 8,
};

export function countOf(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) count *= size;
  return count;
}

/** Bytes that a view stands for, each element once. */
export function bytesOfView(operand: Pick<Operand, "dtype" | "shape">): number {
  return countOf(operand.shape) * BYTES[operand.dtype];
}

/**
 * Cycles to drain one used column: 96 stored codes of one channel through a port as wide as the vector unit, which
 * applies an interpolated table or the division by the row's sum on the way.
 */
function drainPerColumn(y: Operand, post: Post, divides: boolean, target: Target): number {
  const { array, vector } = target;
  const stored = (array.rows * BYTES[y.dtype]) / vector.lanes;
  const computed = post.table !== undefined || divides ? (vector.steps.interpolate * array.rows) / vector.lanes : 0;
  return Math.max(1 / array.drainColumnsPerCycle, stored, computed);
}

/** A tile's drain: whole cycles for the columns used. */
function drainOf(columns: number, perColumn: number): number {
  return Math.ceil(columns * perColumn);
}

/** Σ over the tiles of one group of `columns` channels: max(reduction, drain of the columns used). */
function columnTiles(columns: number, reduction: number, drain: number, width: number): number {
  const full = Math.floor(columns / width);
  const rest = columns % width;
  return full * Math.max(reduction, drainOf(width, drain)) + (rest > 0 ? Math.max(reduction, drainOf(rest, drain)) : 0);
}

/** 96 pixels at stride s span 96·s bytes: a stride of 3 and more starves the activation port. */
function portFactor(stride: number, bytes: number, target: Target): number {
  return Math.max(1, (target.array.rows * stride * bytes) / target.array.activationPortBytes);
}

function passesOf(x: Operand, target: Target): number {
  return BYTES[x.dtype] > 1 ? target.array.int16Passes : 1;
}

/** Numbers of a convolution that its cost depends on. */
type ConvShape = Pick<ConvCommand, "x" | "w" | "y" | "strides" | "dilations" | "groups" | "post">;

/** x and y fused: ⌈pixels / rows⌉ tiles a group of channels; the batch fills idle rows. */
function denseCycles({ x, w, y, strides, groups, post }: ConvShape, target: Target): number {
  const { rows, columns } = target.array;
  const pixels = y.shape[0] * y.shape[2] * y.shape[3];
  const steps = w.shape[1] * w.shape[2] * w.shape[3] * passesOf(x, target);
  const reduction = Math.ceil(steps * portFactor(strides[1], BYTES[x.dtype], target));
  const drain = drainPerColumn(y, post, false, target);
  return Math.ceil(pixels / rows) * groups * columnTiles(w.shape[0] / groups, reduction, drain, columns);
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
  return channels * tiles * Math.max(w.shape[2] * reach * passesOf(x, target), drainOf(block, drain));
}

function macCycles({ x, w, y }: ConvShape, target: Target): number {
  const macs = countOf(y.shape) * w.shape[1] * w.shape[2] * w.shape[3];
  return Math.ceil((macs * target.vector.steps.mac * passesOf(x, target)) / target.vector.lanes);
}

export interface MappingCost {
  readonly mapping: ConvMapping;
  readonly block: number;
  readonly cycles: number;
}

/** Every legal mapping of a convolution with its cycles; the first is dense (of a depthwise one: a column at a time). */
export function convMappings(conv: ConvShape, target: Target): MappingCost[] {
  const depthwise = conv.groups > 1 && conv.w.shape[1] === 1 && conv.w.shape[0] === conv.groups;
  const dense = denseCycles(conv, target);
  if (!depthwise) return [{ mapping: "dense", block: 1, cycles: dense }];
  let best: MappingCost = { mapping: "toeplitz", block: 1, cycles: Number.POSITIVE_INFINITY };
  for (let block = 2; block <= Math.min(target.array.columns, conv.y.shape[3]); block++) {
    const cycles = toeplitzCycles(conv, block, target);
    if (cycles < best.cycles) best = { mapping: "toeplitz", block, cycles };
  }
  const found: MappingCost[] = [{ mapping: "column", block: 1, cycles: dense }];
  if (best.block > 1) found.push(best);
  found.push({ mapping: "vector", block: 1, cycles: macCycles(conv, target) });
  return found;
}

function convCycles(conv: Omit<ConvCommand, "npu" | "waits" | "origin">, target: Target): number {
  if (conv.mapping === "toeplitz") return toeplitzCycles(conv, conv.block, target);
  if (conv.mapping === "vector") return macCycles(conv, target);
  return denseCycles(conv, target);
}

/** Every input pixel meets every tap: s² fewer pixels than outputs, all taps of the outputs that they reach. */
function deconvCycles(
  { x, w, y, groups, post }: Omit<DeconvCommand, "npu" | "waits" | "origin">,
  target: Target,
): number {
  const { rows, columns } = target.array;
  const taps = w.shape[2] * w.shape[3];
  const pixels = Math.ceil((x.shape[0] * x.shape[2] * x.shape[3]) / rows);
  const reduction = (x.shape[1] / groups) * taps * passesOf(x, target);
  const outputs = Math.ceil((y.shape[0] * y.shape[2] * y.shape[3]) / rows);
  const drain = drainPerColumn(y, post, false, target);
  // The drain covers all outputs, the reduction only the input pixels.
  const channels = y.shape[1] / groups;
  const multiply = pixels * columnTiles(channels, reduction, 0, columns);
  return Math.ceil(groups * Math.max(multiply, outputs * channels * drain));
}

/** Rows of a on the array's rows (the batch too where b is the same for all of it), columns of b on its columns. */
function matMulCycles(
  { a, b, y, post, normalise }: Omit<MatMulCommand, "npu" | "waits" | "origin">,
  target: Target,
): number {
  const rank = y.shape.length;
  const batch = countOf(y.shape.slice(0, -2));
  let products = 1;
  for (let axis = 0; axis < rank - 2; axis++) if (b.strides[axis] !== 0 && b.shape[axis] > 1) products *= b.shape[axis];
  const pixels = (y.shape[rank - 2] * batch) / products;
  const reduction = a.shape[rank - 1] * passesOf(a, target);
  const drain = drainPerColumn(y, post, normalise, target);
  const tiles = Math.ceil(pixels / target.array.rows);
  return products * tiles * columnTiles(y.shape[rank - 1], reduction, drain, target.array.columns);
}

/** Multiply-accumulates that a command does for its outputs, padding included. */
export function macsOf(command: CommandBody): number {
  switch (command.kind) {
    case "conv":
      return countOf(command.y.shape) * countOf(command.w.shape.slice(1));
    case "deconv":
      return countOf(command.x.shape) * countOf(command.w.shape.slice(1));
    case "matmul":
      return countOf(command.y.shape) * command.a.shape[command.a.shape.length - 1];
    default:
      return 0;
  }
}

function vectorCycles(y: Operand, elements: number, step: VectorStep, post: Post | undefined, target: Target): number {
  const { lanes, steps } = target.vector;
  const perElement = steps[step] + (post?.table === undefined ? 0 : steps.interpolate);
  return Math.ceil((elements * Math.min(2, BYTES[y.dtype]) * perElement) / lanes);
}

/** Cycles of the array or the vector unit; 0 for what the DMA engines and the host do (see timing.ts). */
export function engineCycles(command: CommandBody, target: Target): number {
  switch (command.kind) {
    case "conv":
      return convCycles(command, target);
    case "deconv":
      return deconvCycles(command, target);
    case "matmul":
      return matMulCycles(command, target);
    case "eltwise":
      return vectorCycles(command.y, countOf(command.y.shape), command.operation, command.post, target);
    case "scale":
      return vectorCycles(command.y, countOf(command.y.shape), "scale", command.post, target);
    case "table": {
      const step = command.x.dtype === "int16" ? "interpolate" : "table";
      return vectorCycles(command.y, countOf(command.y.shape), step, undefined, target);
    }
    case "pool": {
      const cells = countOf(command.y.shape) * command.kernel[0] * command.kernel[1];
      return Math.ceil((cells * BYTES[command.x.dtype]) / target.pool.lanes);
    }
    case "reduce": {
      const { x, y, operation, post } = command;
      const roots = operation === "l2" ? vectorCycles(y, countOf(y.shape), "root", undefined, target) : 0;
      return vectorCycles(x, countOf(x.shape), operation === "l2" ? "mac" : "reduce", post, target) + roots;
    }
    case "softmax":
      return vectorCycles(command.x, countOf(command.x.shape), "softmax", undefined, target);
    case "norm":
      return vectorCycles(command.x, countOf(command.x.shape), "norm", undefined, target);
    case "move":
      return vectorCycles(command.y, countOf(command.y.shape), "move", undefined, target);
    case "fill":
      return vectorCycles(command.y, countOf(command.y.shape), "fill", undefined, target);
    case "gather":
      return command.engine === "vector"
        ? vectorCycles(command.y, countOf(command.y.shape), "gather", undefined, target)
        : 0;
    case "scatter":
      return command.engine === "vector"
        ? vectorCycles(command.x, countOf(command.x.shape), "gather", undefined, target)
        : 0;
    case "dma-read":
    case "dma-write":
    case "cpu":
    case "stop":
      return 0;
  }
}

/**
 * Bytes that a view moves over the DRAM bus: every contiguous run is rounded up to whole bursts. Axes are read as
 * contiguous from the last on.
 */
export function burstBytes(operand: Operand, target: Target): number {
  const size = BYTES[operand.dtype];
  let run = 1;
  let axis = operand.shape.length - 1;
  for (; axis >= 0; axis--) {
    if (operand.shape[axis] !== 1 && operand.strides[axis] !== run) break;
    run *= operand.shape[axis];
  }
  const runs = countOf(operand.shape.slice(0, axis + 1));
  const burst = target.dma.burstBytes;
  return runs * Math.ceil((run * size) / burst) * burst;
}

/** Sustained bytes a cycle of the DRAM, shared by all. */
export function dramBytesPerCycle(target: Target, share = 1): number {
  return (target.dram.GBps * target.dram.sustained * share) / target.clockGHz;
}
