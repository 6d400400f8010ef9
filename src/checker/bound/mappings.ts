/**
 * The least cycles of a layer on the array, over every legal mapping and every way to cut it into commands.
 *
 * A command puts its output pixels on the array in tiles, the channels of a group on the columns, some at a time. A tile of c
 * columns takes at least h(c) cycles: the reduction's steps, or the drain of c columns, whichever is longer (one after the
 * other where the drain is not hidden), and the skew. Tiles of pixels: cutting a layer's pixels never makes fewer. Channels:
 * the cheapest partition into parts of at most as many as there are columns, by trying all. So no cut into commands, whatever
 * its grid, takes less than (tiles of the whole layer) × (cheapest partition of the channels).
 */
import type { Target } from "../../target/schema.ts";
import type { ConvLayer, MatMulLayer, Slide, WeightForm } from "./layer.ts";

/** Cycles to drain one used column of a tile: its stored codes through a port as wide as the vector unit. */
function drainOf(bytes: number, computes: boolean, { array, vector }: Target): number {
  const stored = (array.rows * bytes) / vector.lanes;
  const computed = computes ? (vector.steps.interpolate * array.rows) / vector.lanes : 0;
  return Math.max(1 / array.drainColumnsPerCycle, stored, computed);
}

function passesOf(bytes: number, { array }: Target): number {
  return bytes > 1 ? array.int16Passes : 1;
}

/** Cycles of one step, limited by the activations that must pass the port: all between pixels that lie apart. */
function stepOf(stride: number, bytes: number, { rate }: WeightForm, { array }: Target): number {
  const across = array.pixels === "fused" ? array.rows : array.pixels.width;
  const apart = array.gathers || across === 1 ? 1 : stride;
  return Math.max(array.stepCycles / rate, (array.rows * array.inputs * bytes * apart) / array.activationPortBytes);
}

/** Tiles that pixels fill at least. A rectangle's tiles: no tile holds two pixels that lie its width or height apart. */
function tilesOf(batch: number, height: number, width: number, { array }: Target): number {
  if (array.pixels === "fused") return Math.ceil((batch * height * width) / array.rows);
  return batch * Math.ceil(height / array.pixels.height) * Math.ceil(width / array.pixels.width);
}

/** Steps of the reduction: channels side by side, or with neighbours of a kernel row where there are few. */
function stepsOf(depth: number, height: number, width: number, { array }: Target): number {
  const { inputs, packing } = array;
  const ways = [Math.ceil(depth / inputs) * height * width];
  if (depth <= packing.channels) {
    for (let taps = 2; taps <= Math.min(packing.taps, width, inputs); taps++)
      ways.push(Math.ceil(depth / Math.floor(inputs / taps)) * height * Math.ceil(width / taps));
  }
  return Math.min(...ways);
}

/** What a tile of some columns costs: `steps` of `step` cycles, beside or before a drain of `drain` a column. */
interface TileCost {
  readonly steps: number;
  readonly step: number;
  readonly drain: number;
  /** Bytes of a weight. */
  readonly weight: number;
}

/** h(c). With weights that are held over several tiles, their load is spread over as many as possible. */
function tileCycles({ steps, step, drain, weight }: TileCost, columns: number, { array }: Target): number {
  const load = (columns * array.inputs * weight) / array.weightPortBytes / array.weightHold;
  const exact = steps * Math.max(step, load);
  const multiply = array.weightHold === 1 ? Math.ceil(exact) : exact;
  const drained = Math.ceil(columns * drain);
  return (array.drainHidden ? Math.max(multiply, drained) : multiply + drained) + array.skewCycles;
}

/** The cheapest partition of `channels` into parts of at most `columns`, each at h(part): all are tried. */
function cheapestParts(channels: number, cost: TileCost, target: Target): number {
  const widest = Math.min(channels, target.array.columns);
  const parts = Array.from({ length: widest + 1 }, (_, part) => (part === 0 ? 0 : tileCycles(cost, part, target)));
  const least = new Float64Array(channels + 1);
  for (let count = 1; count <= channels; count++) {
    let best = Number.POSITIVE_INFINITY;
    for (let part = Math.min(widest, count); part >= 1; part--) {
      const whole = parts[part] + least[count - part];
      if (whole < best) best = whole;
    }
    least[count] = best;
  }
  return least[channels];
}

/** How a layer can be put on the chip: at least so many cycles of the array, or of the vector unit instead. */
export interface UnitCycles {
  readonly array: number;
  /** Absent where only the array can. */
  readonly vector?: number;
}

export function matMulCycles(
  { products, rows, depth, columns, a, y, form, computes }: MatMulLayer,
  target: Target,
): number {
  const cost = {
    steps: stepsOf(depth, 1, 1, target) * passesOf(a.bytes, target),
    step: stepOf(1, a.bytes, form, target),
    drain: drainOf(y.bytes, computes, target),
    weight: form.bytes,
  };
  return products * tilesOf(1, 1, rows, target) * cheapestParts(columns, cost, target);
}

export function convCycles(layer: ConvLayer, target: Target): UnitCycles {
  if (layer.kind === "deconv") return { array: deconvCycles(layer, target) };
  const { batch, groups, inputs, outputs, rows, columns, x, y, form, table } = layer;
  const tiles = tilesOf(batch, rows.outputs, columns.outputs, target);
  const cost = {
    steps: stepsOf(inputs, rows.kernel, columns.kernel, target) * passesOf(x.bytes, target),
    step: stepOf(columns.stride, x.bytes, form, target),
    drain: drainOf(y.bytes, table, target),
    weight: form.bytes,
  };
  const dense = tiles * groups * cheapestParts(outputs, cost, target);
  if (groups === 1 || inputs !== 1 || outputs !== 1) return { array: dense };
  const { array, vector } = target;
  const ways = array.depthwise.includes("channels") ? [channelCycles(layer, tiles, cost, target)] : [dense];
  if (array.depthwise.includes("toeplitz")) ways.push(toeplitzCycles(layer, tileCycles(cost, 1, target), cost, target));
  const macs = y.count * rows.kernel * columns.kernel * passesOf(x.bytes, target);
  const onArray = Math.min(...ways);
  return array.depthwise.includes("vector")
    ? { array: onArray, vector: (macs * vector.steps.mac) / vector.lanes }
    : { array: onArray };
}

/** A channel a column; lanes of the reduction take neighbours of a kernel row. */
function channelCycles({ groups, rows, columns, x }: ConvLayer, tiles: number, cost: TileCost, target: Target): number {
  const { packing, inputs } = target.array;
  const steps = rows.kernel * Math.ceil(columns.kernel / Math.min(packing.taps, inputs)) * passesOf(x.bytes, target);
  return tiles * cheapestParts(groups, { ...cost, steps }, target);
}

/**
 * Block-Toeplitz: a tile holds `rows` blocks of at most b neighbouring outputs of an image row, one channel at a time, and costs
 * c(b). Blocks of different widths may share a layer (of different commands), single columns too. Two bounds hold for any
 * mixture: tiles are whole and hold at most rows · b outputs each (`cheapestTiles`); and an image row needs blocks that
 * together are as wide as itself, each with its share of a tile (the cheapest cover of a row).
 */
function toeplitzCycles(layer: ConvLayer, single: number, cost: TileCost, target: Target): number {
  const { batch, groups, rows, columns, x } = layer;
  const { array } = target;
  const widest = Math.min(array.columns, columns.outputs);
  const costs = [0, single];
  for (let block = 1; block <= widest; block++) {
    const reach = (block - 1) * columns.stride + (columns.kernel - 1) * columns.dilation + 1;
    const cycles = Math.max(rows.kernel * reach * passesOf(x.bytes, target), Math.ceil(block * cost.drain));
    costs[block] = Math.min(cycles, costs[block] ?? Number.POSITIVE_INFINITY);
  }
  const lines = batch * rows.outputs;
  const byTiles = cheapestTiles(lines, columns.outputs, array.rows, costs);
  const byLines = (lines * cheapestCover(columns.outputs, costs)) / array.rows;
  return groups * Math.max(byTiles, byLines);
}

/** More tiles than these are not counted one by one. */
const MOST_TILES = 256;

/**
 * Whole tiles of `slots` blocks each that hold `lines` lines of `width`: their widths must cover all outputs, and of t tiles' slots
 * some line gets at most ⌊slots · t / lines⌋, so one tile is at least as wide as that line's share. The cheapest t tiles, for every t.
 */
function cheapestTiles(lines: number, width: number, slots: number, costs: readonly number[]): number {
  const units = Math.ceil((lines * width) / slots);
  if (units > MOST_TILES) return cheapestCover(units, costs);
  const single = Math.min(...costs.slice(1));
  let best = Number.POSITIVE_INFINITY;
  /** By what is still to be covered, the cheapest t − 1 tiles. */
  let rest = new Float64Array(units + 1).fill(Number.POSITIVE_INFINITY);
  rest[0] = 0;
  for (let tiles = 1; tiles * single < best; tiles++) {
    const share = Math.floor((slots * tiles) / lines);
    for (let block = Math.ceil(width / share); block < costs.length; block++)
      best = Math.min(best, costs[block] + rest[Math.max(0, units - block)]);
    const next = new Float64Array(units + 1).fill(Number.POSITIVE_INFINITY);
    for (let count = 0; count <= units; count++) {
      for (let block = 1; block < costs.length; block++)
        next[count] = Math.min(next[count], costs[block] + rest[Math.max(0, count - block)]);
    }
    rest = next;
  }
  return best;
}

/** The least Σ costs[b] of any b's whose sum is at least `units`. Only so many units are tried one by one: then the best rate. */
function cheapestCover(units: number, costs: readonly number[]): number {
  const exact = Math.min(units, 4096);
  const least = new Float64Array(exact + 1);
  for (let count = 1; count <= exact; count++) {
    let best = Number.POSITIVE_INFINITY;
    for (let block = 1; block < costs.length; block++)
      best = Math.min(best, costs[block] + least[Math.max(0, count - block)]);
    least[count] = best;
  }
  const rate = Math.min(...costs.slice(1).map((cycles, at) => cycles / (at + 1)));
  return Math.max(least[exact], units * rate);
}

/** Inputs that reach an output at all. */
function reaching({ inputs, outputs, kernel, stride, dilation, pad }: Slide): number {
  const reach = (kernel - 1) * dilation + 1;
  const low = Math.max(0, Math.ceil((pad - reach + 1) / stride));
  const high = Math.min(inputs - 1, Math.floor((outputs - 1 + pad) / stride));
  return Math.max(0, high - low + 1);
}

/** Every input pixel meets every tap; the drain covers all outputs. */
function deconvCycles(layer: ConvLayer, target: Target): number {
  const { batch, groups, inputs, outputs, rows, columns, x, y, form, table } = layer;
  const { array } = target;
  const steps = Math.ceil(inputs / array.inputs) * rows.kernel * columns.kernel * passesOf(x.bytes, target);
  const cost = { steps, step: stepOf(1, x.bytes, form, target), drain: 0, weight: form.bytes };
  const met = tilesOf(batch, reaching(rows), reaching(columns), target);
  const multiply = met * cheapestParts(outputs, cost, target);
  const drained = tilesOf(batch, rows.outputs, columns.outputs, target);
  const drain = drained * outputs * drainOf(y.bytes, table, target);
  return groups * (array.drainHidden ? Math.max(multiply, drain) : multiply + drain);
}
