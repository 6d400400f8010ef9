/** The least cycles of a layer on the vector and pooling units, and what the SRAM's ports need. */
import type { Target } from "../../target/schema.ts";
import { cellsReached, type Layer, type Sized, type VectorLayer, type WeightForm } from "./layer.ts";

/** Passes an element of the operator's vector work. */
function stepsOf({ op, table, inputs }: VectorLayer, { vector }: Target): number {
  const { steps } = vector;
  const riding = table ? steps.interpolate : 0;
  switch (op) {
    case "Add":
      return steps.add + riding;
    case "Mul":
      return steps.mul + riding;
    case "Max":
      return steps.max;
    case "Min":
      return steps.min;
    case "Rescale":
      return steps.scale;
    case "Table":
      return inputs[0].bytes > 1 ? steps.interpolate : steps.table;
    case "ReduceL2":
      return steps.mac;
    case "ReduceMargin":
      return steps.reduce + steps.min + steps.max;
    case "Softmax":
      return steps.softmax;
    case "LayerNorm":
      return steps.norm;
    default:
      return steps.reduce + riding;
  }
}

/** 16-bit elements take two lanes; wider ones no more. */
function lanesOf({ bytes }: Sized): number {
  return Math.min(2, bytes);
}

const READS_ROWS: ReadonlySet<string> = new Set([
  "ReduceSum",
  "ReduceL2",
  "ReduceMargin",
  "ReduceMax",
  "ReduceMin",
  "Softmax",
  "LayerNorm",
]);

export function vectorCycles(layer: VectorLayer, target: Target): number {
  const { vector, pool } = target;
  const [x] = layer.inputs;
  if (layer.window) {
    const [rows, columns] = layer.window;
    const cells = layer.y.count * rows.kernel * columns.kernel;
    const reached = x.shape[0] * x.shape[1] * cellsReached(rows) * cellsReached(columns);
    return ((pool.takes === "inputs" ? reached : cells) * x.bytes) / pool.lanes;
  }
  const work = READS_ROWS.has(layer.op) ? x : layer.y;
  const roots = layer.op === "ReduceL2" ? (layer.y.count * lanesOf(layer.y) * vector.steps.root) / vector.lanes : 0;
  return (work.count * lanesOf(work) * stepsOf(layer, target)) / vector.lanes + roots;
}

/** The unpacker stands behind the ports. */
function weightBytes({ count, bytes }: Sized, form: WeightForm): number {
  return count * Math.min(bytes, form.bytes);
}

/** Every byte of the operands passes the ports once; what windows may step over is not counted. */
export function portCycles(layer: Layer, { sram }: Target): number {
  const all = ({ count, bytes }: Sized) => count * bytes;
  let read = 0;
  if (layer.kind === "matmul") read = all(layer.a) + weightBytes(layer.b, layer.form);
  else if (layer.kind === "vector" && !layer.window) read = layer.inputs.reduce((sum, input) => sum + all(input), 0);
  else {
    const [rows, columns] = layer.kind === "vector" ? layer.window! : [layer.rows, layer.columns];
    const x = layer.kind === "vector" ? layer.inputs[0] : layer.x;
    const reached = layer.kind === "deconv" ? 0 : cellsReached(rows) * cellsReached(columns);
    read =
      x.shape[0] * x.shape[1] * reached * x.bytes + (layer.kind === "vector" ? 0 : weightBytes(layer.w, layer.form));
  }
  return Math.max(read / sram.readBytesPerCycle, all(layer.y) / sram.writeBytesPerCycle);
}
