/**
 * How long an engine is busy with one command, in cycles of the NPU's clock: the array (array.ts), the vector unit (passes over
 * the elements), the pooling unit, and no less than the SRAM's ports need. All figures come from the target.
 */
import type { CommandBody, Operand, Post, WeightOperand } from "../schedule/program.ts";
import type { Target, VectorStep } from "../target/schema.ts";
import { convCycles, deconvCycles, matMulCycles } from "./array.ts";
import { bytesOfElement, bytesReached, countOf } from "./operand.ts";

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
  return Math.ceil((elements * Math.min(2, bytesOfElement(y)) * perElement) / lanes);
}

/** Cycles that the SRAM's ports need for a command's operands, each byte once. */
function portCycles(command: CommandBody, { sram }: Target): number {
  const inSram = (operand: WeightOperand | undefined) => (operand?.space === "sram" ? bytesReached(operand) : 0);
  let read = 0;
  if ("x" in command) read += inSram(command.x);
  if ("w" in command) read += inSram(command.w);
  if ("a" in command) read += inSram(command.a) + inSram(command.b);
  if ("multipliers" in command) read += inSram(command.multipliers?.values);
  const written = "y" in command ? inSram(command.y) : 0;
  return Math.ceil(Math.max(read / sram.readBytesPerCycle, written / sram.writeBytesPerCycle));
}

/** Cycles of the array or the vector unit; 0 for what the DMA engines and the host do (see timing.ts). */
export function engineCycles(command: CommandBody, target: Target): number {
  if (command.engine !== "array" && command.engine !== "vector") return 0;
  return Math.max(unitCycles(command, target), portCycles(command, target));
}

function unitCycles(command: CommandBody, target: Target): number {
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
      const { lanes, takes } = target.pool;
      const cells = countOf(command.y.shape) * command.kernel[0] * command.kernel[1];
      const taken = takes === "inputs" ? countOf(command.x.shape) : cells;
      return Math.ceil((taken * bytesOfElement(command.x)) / lanes);
    }
    case "reduce": {
      const { x, y, operation, post } = command;
      if (operation === "margin" || operation === "ctc-margin") {
        // Against the largest so far; its loser, or the element itself, against the second.
        const compared = (step: VectorStep) => vectorCycles(x, countOf(x.shape), step, undefined, target);
        return compared("reduce") + compared("min") + compared("max");
      }
      const roots = operation === "l2" ? vectorCycles(y, countOf(y.shape), "root", undefined, target) : 0;
      return vectorCycles(x, countOf(x.shape), operation === "l2" ? "mac" : "reduce", post, target) + roots;
    }
    case "softmax":
      return vectorCycles(command.x, countOf(command.x.shape), "softmax", undefined, target);
    case "norm":
      return vectorCycles(command.x, countOf(command.x.shape), "norm", undefined, target);
    case "move":
      return vectorCycles(command.y, countOf(command.y.shape), "move", undefined, target);
    case "pack":
      return vectorCycles(command.x, countOf(command.x.shape), "move", undefined, target);
    case "unpack":
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
  const size = bytesOfElement(operand);
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

/** Sustained bytes a cycle that reach an NPU: of the DRAM, shared by all, and through its DMA engine. */
export function dramBytesPerCycle(target: Target, share = 1): number {
  return Math.min(target.dma.bytesPerCycle, (target.dram.GBps * target.dram.sustained * share) / target.clockGHz);
}

export { convMappings, peakMacs } from "./array.ts";
export { bytesOfView, countOf } from "./operand.ts";
