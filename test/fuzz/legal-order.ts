/** Executions that the chip allows. */
import type { Command, Program } from "../../src/schedule/program.ts";

/** The program's commands in a random order that keeps every engine's own and all waits. */
export function legalOrder(program: Program, random: () => number): Program {
  const entries = program.entries.map((entry) => {
    const { commands } = entry;
    const queues = new Map<string, number[]>();
    for (const [id, { npu, engine }] of commands.entries()) {
      const queue = engine === "cpu" ? engine : `${npu} ${engine}`;
      const found = queues.get(queue);
      if (found) found.push(id);
      else queues.set(queue, [id]);
    }
    const heads = [...queues.values()].map((ids) => ({ ids, at: 0 }));
    const done = new Set<number>();
    const order: Command[] = [];
    while (order.length < commands.length) {
      const ready = heads.filter(
        ({ ids, at }) => at < ids.length && commands[ids[at]].waits.every((wait) => done.has(wait)),
      );
      if (ready.length === 0) throw new Error("every engine waits for another");
      const head = ready[Math.floor(random() * ready.length)];
      const id = head.ids[head.at++];
      done.add(id);
      order.push({ ...commands[id], waits: [] });
    }
    return { ...entry, commands: order };
  });
  return { ...program, entries };
}
