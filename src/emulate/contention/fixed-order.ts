/**
 * A program whose order is fixed on every resource: engines in program order, the DRAM in the order of the run without
 * others. Then every start is a maximum of ends and every end a start and a duration (max-plus), so that nothing ends
 * earlier because something else took longer.
 */
import { type Operand, STORAGE_BYTES } from "../../schedule/program.ts";
import type { Flow } from "../simulate.ts";
import type { Timeline } from "../timing.ts";
import { awakeShare, type Interference } from "./interference.ts";

export interface FixedOrder extends Flow {
  readonly order: Int32Array;
  /**
   * Cycles of the DRAM that a command needs when nobody interrupts it: streaming between refreshes, and beyond it the
   * turnaround from the transfer before and rows that a stream would not open. 0: does not touch the DRAM.
   */
  readonly demand: Float64Array;
  /** Work of an engine that slots of other programs do not hold up: the host's. */
  readonly free: Uint8Array;
}

/** Rows that reading a view in the order of its addresses opens; broadcast axes are read once. */
export function rowsOf(view: Operand, rowBytes: number): number {
  const { address, dtype, shape, strides } = view;
  const bytes = STORAGE_BYTES[dtype];
  const within = (span: number) => Math.floor((address + span - 1) / rowBytes) - Math.floor(address / rowBytes) + 1;
  const axes = shape.map((size, at) => ({ size, stride: Math.abs(strides[at]) })).filter(({ stride }) => stride > 0);
  axes.sort((a, b) => a.stride - b.stride);
  let [span, rows] = [bytes, 1];
  for (const { size, stride } of axes) {
    span += (size - 1) * stride * bytes;
    rows = Math.min(rows * size, within(span));
  }
  return rows;
}

/** The order of the run without others; `target` and profile as that run had them. */
export function fixOrder({ commands, costs, flow, simulation }: Timeline, interference: Interference): FixedOrder {
  const demand = new Float64Array(flow.count);
  const awake = awakeShare(interference);
  let writing: boolean | undefined;
  for (const id of simulation.order) {
    const { transfer, busBytes, dramCycles } = costs[id];
    if (transfer === undefined || dramCycles === 0) continue;
    const { kind } = commands[id];
    const writes = kind === "dma-write" || kind === "scatter";
    demand[id] = dramCycles * awake;
    if (writing !== undefined && writing !== writes) demand[id] += interference.turnaround;
    if (interference.rowMiss > 0) {
      const { rowBytes, rowMiss } = interference;
      demand[id] += Math.max(0, rowsOf(transfer, rowBytes) - busBytes / rowBytes) * rowMiss;
    }
    writing = writes;
  }
  const free = Uint8Array.from(commands, ({ engine }) => (engine === "cpu" ? 1 : 0));
  return { ...flow, order: simulation.order, demand, free };
}
