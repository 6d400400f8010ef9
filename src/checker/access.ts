/** What a command reads and writes. */
import type { Command, Operand, Post } from "../schedule/program.ts";
import { weightBytes } from "./packed.ts";

/** The part that an operand plays: `x`, `w`, `multiplier`, `table.knots`, … */
export interface Access {
  readonly role: string;
  readonly operand: Operand;
}

function ofPost(post: Post | undefined): Access[] {
  if (post === undefined) return [];
  const { multiplier, shift, table } = post;
  const stage = [
    { role: "multiplier", operand: multiplier },
    { role: "shift", operand: shift },
  ];
  if (table === undefined) return stage;
  return [
    ...stage,
    { role: "knots", operand: table.knots },
    { role: "table multiplier", operand: table.multiplier },
    { role: "table shift", operand: table.shift },
  ];
}

function given(role: string, operand: Operand | undefined): Access[] {
  return operand === undefined ? [] : [{ role, operand }];
}

/** A scatter leaves most of its result as it was: it reads what it writes. */
export function readsOf(command: Command): Access[] {
  switch (command.kind) {
    case "dma-read":
    case "dma-write":
      return given("from", command.from);
    case "conv":
    case "deconv":
      return [
        ...given("x", command.x),
        ...given("w", weightBytes(command)),
        ...given("multipliers", command.multipliers?.values),
        ...given("bias", command.bias),
        ...ofPost(command.post),
      ];
    case "matmul":
      return [
        ...given("a", command.a),
        ...given("b", weightBytes(command)),
        ...given("multipliers", command.multipliers?.values),
        ...given("bias", command.bias),
        ...ofPost(command.post),
      ];
    case "eltwise":
      return [...given("a", command.a), ...given("b", command.b), ...ofPost(command.post)];
    case "scale":
    case "pool":
    case "reduce":
      return [...given("x", command.x), ...ofPost(command.post)];
    case "table":
    case "softmax":
      return [...given("x", command.x), ...given("table", command.table)];
    case "norm":
      return [
        ...given("x", command.x),
        ...given("gamma", command.gamma),
        ...given("beta", command.beta),
        ...ofPost(command.post),
      ];
    case "move":
    case "pack":
    case "unpack":
      return given("x", command.x);
    case "gather":
      return [...given("x", command.x), ...given("indices", command.indices)];
    case "scatter":
      return [...given("x", command.x), ...given("indices", command.indices), ...given("y", command.y)];
    case "cpu":
      return command.inputs.map((operand) => ({ role: "input", operand }));
    case "fill":
    case "stop":
      return [];
  }
}

export function writesOf(command: Command): readonly Operand[] {
  switch (command.kind) {
    case "dma-read":
    case "dma-write":
      return [command.to];
    case "cpu":
      return command.outputs;
    case "stop":
      return [];
    default:
      return [command.y];
  }
}

/** The NPUs whose SRAM a command writes. */
export function npusOf(command: Command): readonly number[] {
  return (command.kind === "dma-read" ? command.npus : undefined) ?? [command.npu];
}

/** Kinds that read and write element by element, so that a result may take an operand's place. */
const IN_PLACE: ReadonlySet<Command["kind"]> = new Set(["eltwise", "scale", "table", "move", "scatter"]);

export function worksInPlace(command: Command): boolean {
  return IN_PLACE.has(command.kind);
}
