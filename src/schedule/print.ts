/** A Program as text, a command a line, for people and golden tests. */
import type { Command, CommandBody, Multipliers, Operand, Post, Program, WeightOperand } from "./program.ts";

function operand({ space, address, dtype, shape, strides }: WeightOperand): string {
  const contiguous = strides.every((stride, axis) => {
    const rest = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
    return shape[axis] === 1 || stride === rest;
  });
  const steps = contiguous ? "" : ` by ${strides.join(",")}`;
  return `${space}@${address}:${dtype}[${shape.join(",")}]${steps}`;
}

function weights(codes: WeightOperand, multipliers: Multipliers | undefined): string {
  return multipliers ? `${operand(codes)}·${operand(multipliers.values)} each ${multipliers.block}` : operand(codes);
}

function stage(post: Post | undefined): string {
  if (post === undefined) return "";
  const scaled = (multiplier: Operand, shift: Operand) => `×${operand(multiplier)}>>${operand(shift)}`;
  const then = post.table;
  const table = then ? ` table ${operand(then.knots)} ${scaled(then.multiplier, then.shift)}` : "";
  const mode = post.wide ? "wide" : post.round;
  return `; ${mode} ${scaled(post.multiplier, post.shift)}${table} +${post.yZero} in ${post.yMin}…${post.yMax}`;
}

function list(values: readonly number[]): string {
  return `[${values.join(",")}]`;
}

function body(command: CommandBody): string {
  switch (command.kind) {
    case "dma-read":
    case "dma-write": {
      const spread = command.npus === undefined ? "" : ` on NPUs ${command.npus.join(",")}`;
      return `${operand(command.to)}${spread} = ${operand(command.from)}`;
    }
    case "conv": {
      const window = `strides ${list(command.strides)} pads ${list(command.pads)} dilations ${list(command.dilations)}`;
      const bias = command.bias ? ` + ${operand(command.bias)}` : "";
      const how = command.block > 1 ? `${command.mapping} ${command.block}` : command.mapping;
      const factors = `(${operand(command.x)} − ${command.xZero}) ∗ ${weights(command.w, command.multipliers)}`;
      return `${operand(command.y)} = ${factors}${bias}; ${window} groups ${command.groups} ${how}${stage(command.post)}`;
    }
    case "deconv": {
      const window = `strides ${list(command.strides)} pads ${list(command.pads)} dilations ${list(command.dilations)}`;
      const bias = command.bias ? ` + ${operand(command.bias)}` : "";
      const factors = `(${operand(command.x)} − ${command.xZero}) ∗ᵀ ${weights(command.w, command.multipliers)}`;
      return `${operand(command.y)} = ${factors}${bias}; ${window} groups ${command.groups}${stage(command.post)}`;
    }
    case "matmul": {
      const bias = command.bias ? ` + ${operand(command.bias)}` : "";
      const factors = `(${operand(command.a)} − ${command.aZero}) · (${weights(command.b, command.multipliers)} − ${command.bZero})`;
      return `${operand(command.y)} = ${factors}${bias}${command.normalise ? " / Σa" : ""}${stage(command.post)}`;
    }
    case "eltwise": {
      const factor = (multiplier: number) => (multiplier === 1 ? "" : `·${multiplier}`);
      const a = `(${operand(command.a)} − ${command.aZero})${factor(command.aMultiplier)}`;
      const b = `(${operand(command.b)} − ${command.bZero})${factor(command.bMultiplier)}`;
      return `${operand(command.y)} = ${command.operation} ${a}, ${b}${stage(command.post)}`;
    }
    case "scale":
      return `${operand(command.y)} = ${operand(command.x)} − ${command.xZero}${stage(command.post)}`;
    case "table":
      return `${operand(command.y)} = ${operand(command.table)} of ${operand(command.x)}`;
    case "pool": {
      const window = `kernel ${list(command.kernel)} strides ${list(command.strides)} pads ${list(command.pads)}`;
      const counting = command.countIncludePad ? " padding counts" : "";
      const x = `(${operand(command.x)} − ${command.xZero})`;
      return `${operand(command.y)} = ${command.operation} ${x}; ${window} dilations ${list(command.dilations)}${counting}${stage(command.post)}`;
    }
    case "reduce":
      return `${operand(command.y)} = ${command.operation} (${operand(command.x)} − ${command.xZero})${stage(command.post)}`;
    case "softmax": {
      const form = command.normalised ? "" : "unnormalised ";
      return `${operand(command.y)} = ${form}softmax ${operand(command.x)} by ${operand(command.table)}`;
    }
    case "norm": {
      const form = command.center ? "layer norm" : "root mean square norm";
      const affine = `${operand(command.gamma)}, ${operand(command.beta)}`;
      return `${operand(command.y)} = ${form} (${operand(command.x)} − ${command.xZero}) over ${command.axes}, ${affine}, epsilon ${command.epsilon}${stage(command.post)}`;
    }
    case "move":
    case "pack":
    case "unpack":
      return `${operand(command.y)} = ${operand(command.x)}`;
    case "fill":
      return `${operand(command.y)} = ${command.value}`;
    case "gather":
      return `${operand(command.y)} = ${operand(command.x)} at ${operand(command.indices)}`;
    case "scatter": {
      const turn = command.circular ? " in a circle" : "";
      return `${operand(command.y)} from ${operand(command.indices)} on${turn} = ${operand(command.x)}`;
    }
    case "cpu":
      return `${command.outputs.map(operand).join(", ")} = ${JSON.stringify(command.text)} of ${command.inputs.map(operand).join(", ")}`;
    case "stop":
      return "";
  }
}

function line(command: Command, id: number, several: boolean): string {
  const npu = several && command.kind !== "stop" ? `npu${command.npu} ` : "";
  const waits = command.waits.length > 0 ? ` after ${command.waits.join(",")}` : "";
  const origin = command.origin.length > 0 ? `  # ${command.origin.join(", ")}` : "";
  return `${id} ${npu}${command.engine}${waits}: ${command.kind} ${body(command)}${origin}`.trimEnd();
}

/** The whole Program; `commands: false` leaves the commands out. */
export function printProgram(program: Program, options: { commands?: boolean } = {}): string {
  const lines = [
    `program ${program.name || "unnamed"} for ${program.target}: ${program.sramBytes} bytes of SRAM, ${program.dramBytes} of DRAM, ${program.weightBytes} of weights`,
  ];
  for (const { input, output, dtype, shape, address } of program.states) {
    lines.push(`state ${output} → ${input}: dram@${address}:${dtype}[${shape.join(",")}]`);
  }
  program.entries.forEach((entry, index) => {
    const plan = program.plan[index];
    lines.push(
      `entry ${entry.name}: SRAM peak ${plan?.sramPeakBytes ?? 0}, resident lower bound ${plan?.sramLowerBoundBytes ?? 0}`,
    );
    for (const { name, dtype, shape, address } of entry.inputs)
      lines.push(`  input ${name}: dram@${address}:${dtype}[${shape.join(",")}]`);
    for (const { name, dtype, shape, address } of entry.outputs)
      lines.push(`  output ${name}: dram@${address}:${dtype}[${shape.join(",")}]`);
    if (options.commands ?? true)
      for (const [id, command] of entry.commands.entries()) lines.push(`  ${line(command, id, program.npus > 1)}`);
  });
  return `${lines.join("\n")}\n`;
}
