import { type Graph, type Node, typeOf } from "../ir/graph.ts";
import { narrowValues } from "../ops/shared/npu/narrow.ts";
import type { Placed } from "../target/placement.ts";
import { type Program, STORAGE_BYTES } from "./program.ts";
import { elementsOf } from "./view.ts";

export interface ScheduleStats {
  /** Nodes by where they run; nodes that vanish into addresses count as `vector`. */
  readonly placement: { readonly npu: number; readonly vector: number; readonly cpu: number };
  /** The largest over the entries. */
  readonly sramPeakBytes: number;
  /** The weights section without states: codes, biases, multipliers, tables. */
  readonly weightBytes: number;
  /** Moved over the DRAM bus by one run of the first entry. */
  readonly dramBytesPerInference: number;
  /** Values that hold floating-point numbers. */
  readonly floatTensors: number;
  /** Activations of 16 bits. */
  readonly int16Tensors: number;
  /** Activations of 4 bits: values of int8 that can hold no more than 16 codes. */
  readonly int4Tensors: number;
}

/** Bytes that one run of an entry moves between DRAM and the chip. */
export function dramBytesOf(program: Program, entry: number): number {
  let bytes = 0;
  for (const command of program.entries[entry]?.commands ?? []) {
    const moved =
      command.kind === "dma-read" || command.kind === "dma-write"
        ? [command.from]
        : command.kind === "gather" && command.x.space === "dram"
          ? [command.y]
          : command.kind === "scatter" && command.y.space === "dram"
            ? [command.x]
            : [];
    for (const { shape, dtype } of moved) bytes += elementsOf(shape) * STORAGE_BYTES[dtype];
  }
  return bytes;
}

function countTensors(graphs: readonly Graph[], test: (dtype: string, node: Node) => boolean): number {
  let count = 0;
  for (const graph of graphs) {
    for (const node of graph.nodes) {
      for (const output of node.outputs) {
        const type = typeOf(graph, output);
        if (output !== "" && type && test(type.dtype, node)) count++;
      }
    }
  }
  return count;
}

export function statsOf(
  placed: readonly Placed[],
  graphs: readonly Graph[],
  program: Program,
  weightBytes: number,
): ScheduleStats {
  const at = (where: Placed["where"]) => placed.filter((one) => one.where === where).length;
  return {
    placement: { npu: at("npu"), vector: at("vector"), cpu: at("cpu") },
    sramPeakBytes: program.plan.reduce((most, { sramPeakBytes }) => Math.max(most, sramPeakBytes), 0),
    weightBytes,
    dramBytesPerInference: dramBytesOf(program, 0),
    floatTensors: countTensors(graphs, (dtype) => dtype.includes("float")),
    int16Tensors: countTensors(graphs, (dtype) => dtype === "int16"),
    int4Tensors: graphs.reduce((count, graph) => count + narrowValues(graph).size, 0),
  };
}
