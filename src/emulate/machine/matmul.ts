import type { MatMulCommand } from "../../schedule/program.ts";
import { forEachRow, gatherNumbers, type Memories, type NumberArray, type Place } from "./memory.ts";
import { matMulAxes, weightsOf } from "./packed.ts";
import { multiply, splitBytes } from "./product.ts";
import { PostStage } from "./requantize.ts";

/** Rows of a are unrolled at most this many numbers at once. */
const ROW_NUMBERS = 1 << 17;

/** b, transposed and less its zero point, so that both factors of a sum lie contiguous. */
function packColumns(b: Place, offset: number, depth: number, columns: number, zero: number, to: Int16Array): void {
  const [rowStep, columnStep] = b.strides.slice(-2);
  for (let k = 0; k < depth; k++) {
    let from = b.offset + offset + k * rowStep;
    for (let n = 0; n < columns; n++, from += columnStep) to[n * depth + k] = b.data[from] - zero;
  }
}

export function runMatMul(command: MatMulCommand, memories: Memories): void {
  const [a, y] = [command.a, command.y].map((operand) => memories.numbers(operand));
  const rank = y.shape.length;
  const b = weightsOf(command.b, matMulAxes(rank), command.multipliers, memories);
  const [rows, columns] = [y.shape[rank - 2], y.shape[rank - 1]];
  const depth = a.shape[rank - 1];
  const post = new PostStage(command.post, memories);
  const given = command.bias && gatherNumbers(memories.numbers(command.bias));
  const bias = new Float64Array(columns).map((_, n) => (given === undefined ? 0 : given[given.length === 1 ? 0 : n]));
  const weights = new Int16Array(depth * columns);
  const product = new RowProduct(command, rows, columns, depth, bias, post);
  let packed: number | undefined;
  const batchStrides = [a.strides.slice(0, -2), b.strides.slice(0, -2), y.strides.slice(0, -2)];
  forEachRow(y.shape.slice(0, -2), batchStrides, (count, [aOffset, bOffset, yOffset], [aStep, bStep, yStep]) => {
    for (let i = 0; i < count; i++) {
      const from = bOffset + i * bStep;
      if (packed !== from) packColumns(b, from, depth, columns, command.bZero, weights);
      packed = from;
      product.run(a, a.offset + aOffset + i * aStep, weights, y, y.offset + yOffset + i * yStep);
    }
  });
}

class RowProduct {
  private readonly command: MatMulCommand;
  private readonly rows: number;
  private readonly columns: number;
  private readonly depth: number;
  private readonly bias: Float64Array;
  private readonly post: PostStage;
  private readonly chunk: number;
  private readonly patches: Int16Array;
  private readonly whole: Int32Array;
  private readonly low: Int16Array;
  private readonly sums: Int32Array;
  private readonly lowSums: Int32Array;
  private readonly values: Float64Array;

  constructor(
    command: MatMulCommand,
    rows: number,
    columns: number,
    depth: number,
    bias: Float64Array,
    post: PostStage,
  ) {
    this.command = command;
    this.rows = rows;
    this.columns = columns;
    this.depth = depth;
    this.bias = bias;
    this.post = post;
    this.chunk = Math.max(1, Math.min(rows, Math.floor(ROW_NUMBERS / depth)));
    const numbers = this.chunk * depth;
    const wide = command.a.dtype === "int16";
    this.patches = new Int16Array(numbers);
    this.whole = new Int32Array(wide ? numbers : 0);
    this.low = new Int16Array(wide ? numbers : 0);
    this.sums = new Int32Array(this.chunk * columns);
    this.lowSums = new Int32Array(wide ? this.chunk * columns : 0);
    this.values = new Float64Array(this.chunk * columns);
  }

  run(a: Place, aOffset: number, weights: Int16Array, y: Place, yOffset: number): void {
    const { command, rows, columns, chunk, values } = this;
    const [rowStep, columnStep] = y.strides.slice(-2);
    for (let first = 0; first < rows; first += chunk) {
      const count = Math.min(chunk, rows - first);
      this.multiply(a, aOffset, first, count, weights);
      for (let n = 0; n < columns; n++) {
        for (let m = 0; m < count; m++) values[n * count + m] += this.bias[n];
        if (!command.normalise)
          this.post.storeRow(values, n * count, count, n, y.data, yOffset + first * rowStep + n * columnStep, rowStep);
      }
      if (!command.normalise) continue;
      for (let m = 0; m < count; m++) {
        const total = Math.max(1, this.rowSum(a, aOffset, first + m));
        const half = Math.floor(total / 2);
        for (let n = 0; n < columns; n++) {
          // acc·2^16 + R/2 is below 2^53 and so is the quotient: a double's floor is exact.
          const quotient = Math.floor((values[n * count + m] * 65_536 + half) / total);
          y.data[yOffset + (first + m) * rowStep + n * columnStep] = this.post.apply(quotient, n);
        }
      }
    }
  }

  private rowSum(a: Place, offset: number, row: number): number {
    const [rowStep, step] = a.strides.slice(-2);
    let sum = 0;
    for (let k = 0, from = offset + row * rowStep; k < this.depth; k++, from += step) sum += a.data[from];
    return sum;
  }

  /** values[n·count + m] = Σ_k (a − aZero)·(b − bZero). */
  private multiply(a: Place, offset: number, first: number, count: number, weights: Int16Array): void {
    const { depth, columns, values, sums, command } = this;
    const wide = command.a.dtype === "int16";
    this.unroll(a, offset, first, count, wide ? this.whole : this.patches);
    if (!wide) {
      multiply(this.patches, count, weights, columns, depth, sums);
      for (let i = 0; i < count * columns; i++) values[i] = sums[i];
      return;
    }
    splitBytes(this.whole, count * depth, this.patches, this.low);
    multiply(this.patches, count, weights, columns, depth, sums);
    multiply(this.low, count, weights, columns, depth, this.lowSums);
    for (let i = 0; i < count * columns; i++) values[i] = 256 * sums[i] + this.lowSums[i];
  }

  private unroll(a: Place, offset: number, first: number, count: number, to: Int16Array | Int32Array): void {
    const [rowStep, step] = a.strides.slice(-2);
    const data: NumberArray = a.data;
    const zero = this.command.aZero;
    for (let m = 0; m < count; m++) {
      let from = offset + (first + m) * rowStep;
      for (let k = 0; k < this.depth; k++, from += step) to[m * this.depth + k] = data[from] - zero;
    }
  }
}
