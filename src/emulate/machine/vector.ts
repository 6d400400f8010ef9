/** Element by element: sums, products, comparisons, rescaling, tables. */
import type { EltwiseCommand, ScaleCommand, TableCommand } from "../../schedule/program.ts";
import { forEachRow, gatherNumbers, type Memories } from "./memory.ts";
import { interpolate, PostStage } from "./requantize.ts";

/** A row's accumulators before they are stored. */
class Row {
  private values = new Float64Array(1024);

  of(count: number): Float64Array {
    if (this.values.length < count) this.values = new Float64Array(count);
    return this.values;
  }
}

export function runEltwise(command: EltwiseCommand, memories: Memories): void {
  const [a, b, y] = [command.a, command.b, command.y].map((operand) => memories.numbers(operand));
  const post = command.post && new PostStage(command.post, memories);
  const { aZero, bZero, aMultiplier, bMultiplier, operation } = command;
  const row = new Row();
  forEachRow(y.shape, [a.strides, b.strides, y.strides], (count, [aAt, bAt, yAt], [aStep, bStep, yStep]) => {
    const values = row.of(count);
    let from = a.offset + aAt;
    let other = b.offset + bAt;
    const [left, right] = [a.data, b.data];
    if (operation === "add") {
      for (let i = 0; i < count; i++, from += aStep, other += bStep) {
        values[i] = (left[from] - aZero) * aMultiplier + (right[other] - bZero) * bMultiplier;
      }
    } else if (operation === "mul") {
      for (let i = 0; i < count; i++, from += aStep, other += bStep) {
        values[i] = (left[from] - aZero) * (right[other] - bZero);
      }
    } else {
      const largest = operation === "max";
      for (let i = 0; i < count; i++, from += aStep, other += bStep) {
        const [p, q] = [left[from], right[other]];
        values[i] = p > q === largest ? p : q;
      }
    }
    const to = y.offset + yAt;
    if (post) post.storeRow(values, 0, count, 0, y.data, to, yStep);
    else for (let i = 0; i < count; i++) y.data[to + i * yStep] = values[i];
  });
}

export function runScale(command: ScaleCommand, memories: Memories): void {
  const [x, y] = [command.x, command.y].map((operand) => memories.numbers(operand));
  const post = new PostStage(command.post, memories);
  const row = new Row();
  forEachRow(y.shape, [x.strides, y.strides], (count, [xAt, yAt], [xStep, yStep]) => {
    const values = row.of(count);
    for (let i = 0, from = x.offset + xAt; i < count; i++, from += xStep) values[i] = x.data[from] - command.xZero;
    post.storeRow(values, 0, count, 0, y.data, y.offset + yAt, yStep);
  });
}

export function runTable(command: TableCommand, memories: Memories): void {
  const [x, y] = [command.x, command.y].map((operand) => memories.numbers(operand));
  const table = gatherNumbers(memories.numbers(command.table));
  const direct = command.x.dtype === "int8";
  forEachRow(y.shape, [x.strides, y.strides], (count, [xAt, yAt], [xStep, yStep]) => {
    let from = x.offset + xAt;
    let to = y.offset + yAt;
    for (let i = 0; i < count; i++, from += xStep, to += yStep) {
      y.data[to] = direct ? table[x.data[from] + 128] : interpolate(table, x.data[from]);
    }
  });
}
