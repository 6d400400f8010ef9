/** Which engine does what, and what the target lets it do. */
import type { Command, CommandKind, ConvCommand, Engine } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import type { Report } from "./form.ts";

const ENGINES: ReadonlyMap<CommandKind, readonly Engine[]> = new Map<CommandKind, readonly Engine[]>([
  ["dma-read", ["dma-in"]],
  ["dma-write", ["dma-out"]],
  ["conv", ["array", "vector"]],
  ["deconv", ["array"]],
  ["matmul", ["array"]],
  ["eltwise", ["vector"]],
  ["scale", ["vector"]],
  ["table", ["vector"]],
  ["pool", ["vector"]],
  ["reduce", ["vector"]],
  ["softmax", ["vector"]],
  ["norm", ["vector"]],
  ["move", ["vector"]],
  ["fill", ["vector"]],
  ["pack", ["vector"]],
  ["unpack", ["vector"]],
  ["gather", ["vector", "dma-in"]],
  ["scatter", ["vector", "dma-out"]],
  ["cpu", ["cpu"]],
  ["stop", ["cpu"]],
]);

/** A mapping is legal for what it is made for: depthwise layers have those of the target, all others lie densely. */
function checkMapping({ engine, mapping, block, groups, w, y }: ConvCommand, target: Target, report: Report): void {
  const { array } = target;
  if ((mapping === "vector") !== (engine === "vector")) report("engine", `a conv mapped as ${mapping} is on ${engine}`);
  const depthwise = w.shape[1] === 1 && w.shape[0] === groups;
  if (mapping === "dense") {
    if (block !== 1) report("form", `a dense mapping has blocks of ${block}`);
    return;
  }
  if (!depthwise) report("engine", `the mapping ${mapping} is for depthwise layers`);
  // `column` is the array's own way: a column at a time, or a channel a column where columns can have channels of their own.
  const legal: readonly string[] = array.depthwise.includes("channels")
    ? [...array.depthwise, "column"]
    : array.depthwise;
  if (!legal.includes(mapping)) report("engine", `${target.name} has no depthwise mapping ${mapping}`);
  const widest = mapping === "toeplitz" ? array.columns : 1;
  const fits = Number.isInteger(block) && block >= 1 && block <= widest && y.shape[3] >= 1;
  if (!fits) report("form", `blocks of ${block} on ${widest} columns`);
}

/** The engine, the mapping, and how far the target's counters count. */
export function checkUnit(command: Command, target: Target, report: Report): void {
  const { kind, engine } = command;
  if (!(ENGINES.get(kind)?.includes(engine) ?? false)) {
    report("engine", `${engine} does no ${kind}`);
    return;
  }
  if (kind === "gather" && (engine === "dma-in") !== (command.x.space === "dram"))
    report("engine", `${engine} gathers from ${command.x.space}`);
  if (kind === "scatter" && (engine === "dma-out") !== (command.y.space === "dram"))
    report("engine", `${engine} scatters into ${command.y.space}`);
  if (kind === "conv") checkMapping(command, target, report);
  if ((kind === "pack" || kind === "unpack") && target.vector.packsNibbles !== true)
    report("engine", `the vector unit of ${target.name} packs no codes of 4 bits`);
  const { limits } = target;
  const atMost = (what: string, values: readonly number[], limit: number) => {
    for (const value of values) if (value > limit) report("limit", `a ${what} of ${value}, the limit is ${limit}`);
  };
  if (kind === "conv" || kind === "deconv") {
    atMost("kernel", command.w.shape.slice(2), limits.kernel);
    atMost("stride", command.strides, limits.stride);
    atMost("dilation", command.dilations, limits.dilation);
  }
  if (kind === "pool") {
    atMost("pooling kernel", command.kernel, limits.poolKernel);
    atMost("stride", command.strides, limits.stride);
    atMost("dilation", command.dilations, limits.dilation);
  }
}
