/**
 * Where one command of the array ends and the next begins: the shadow registers of the last tile drain while the next
 * command's first tile is multiplied, unless that reads what is still on its way.
 */
import type { Command, Operand } from "../schedule/program.ts";
import type { Target } from "../target/schema.ts";
import { arrayEdges } from "./array.ts";
import { inBytes } from "./operand.ts";
import { operandsOverlap } from "./overlap.ts";
import type { Work } from "./simulate.ts";

function readsOf(command: Command): readonly (Operand | undefined)[] {
  if (command.kind !== "conv" && command.kind !== "deconv" && command.kind !== "matmul") return [];
  const { bias, multipliers, post } = command;
  const { multiplier, shift, table } = post;
  const own = command.kind === "matmul" ? [command.a, inBytes(command.b)] : [command.x, inBytes(command.w)];
  return [...own, multipliers?.values, bias, multiplier, shift, table?.knots, table?.multiplier, table?.shift];
}

/** Whether a command reads bytes that the one before it writes. */
function depends(command: Command, before: Command): boolean {
  if (!("y" in before)) return false;
  const { y } = before;
  return readsOf(command).some((operand) => operand !== undefined && operandsOverlap(operand, y));
}

/**
 * A command holds the array for max(reduction, drain) a tile, and its last codes are stored min(reduction, drain) of the
 * last tile later: reduction + drain of a tile alone. A next command that reads none of them begins at once, and stands
 * still for what its own first reduction does not hide of that; one that reads them waits for all, as `waits` then says.
 * Hardware may even begin the next command while a drain is longer than the reduction beside it; that is not counted on.
 */
export function withDrains<W extends Work>(
  commands: readonly Command[],
  works: readonly W[],
  target: Target,
): { readonly works: readonly W[]; readonly commands: readonly Command[] } {
  const last = new Map<number, { readonly id: number; readonly tail: number }>();
  const drained: W[] = [...works];
  const ordered: Command[] = [...commands];
  for (const [id, command] of commands.entries()) {
    const edges = arrayEdges(command, target);
    if (edges === undefined) continue;
    const { reduction, drain } = edges;
    const tail = Math.min(reduction, drain);
    const before = last.get(command.npu);
    last.set(command.npu, { id, tail });
    const waits = before !== undefined && depends(command, commands[before.id]);
    if (waits) ordered[id] = { ...command, waits: [...command.waits, before.id].sort((a, b) => a - b) };
    const stalled = before === undefined || waits ? 0 : Math.max(0, before.tail - reduction);
    const { cycles, latency } = works[id];
    drained[id] = { ...works[id], cycles: cycles + stalled, latency: latency + tail };
  }
  return { works: drained, commands: ordered };
}
