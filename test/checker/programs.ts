/** Programs of our scheduler as they are decoded, and ways to damage them. */
import { Network } from "../../bench/backend/builder.ts";
import { decodeProgram } from "../../src/emulate/decode.ts";
import type { Graph } from "../../src/ir/graph.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import type { Command, Program } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import type { Target } from "../../src/target/schema.ts";

/** What a stranger gets: the bytes, decoded. `refined`: the search for faster plans takes longer than many a test. */
export function programOf(graph: Graph, target: Target, npus = 1, refined = true): Program {
  const options = npus === 1 ? { refined } : ({ npus, sharing: "always" } as const);
  return decodeProgram(encodeProgram(schedule(graph, target, options).program));
}

/** Every kind of engine is busy: convolutions, a sum, a pooling, a product, a normalisation with softmax. */
export function smallNetwork(): Graph {
  const net = new Network("small");
  const first = net.conv(net.input("x", [1, 3, 24, 24]), 16, 3, { stride: 2 });
  const deep = net.conv(net.conv(first, 16, 3, { groups: 16 }), 16, 1, { table: true });
  const pooled = net.pool(net.sum(deep, first), "MaxPool", 2, 2, 0);
  const tokens = net.transpose(net.reshape(pooled, [1, 16, 36]), [0, 2, 1]);
  const attended = net.softmax(net.linear(net.norm(tokens), 16));
  return net.finish([net.linear(attended, 10), pooled]);
}

/** The same program with other commands in its first entry. */
export function withCommands(program: Program, change: (commands: readonly Command[]) => readonly Command[]): Program {
  const [entry, ...rest] = program.entries;
  return { ...program, entries: [{ ...entry, commands: change(entry.commands) }, ...rest] };
}

/** The first command that fits, changed. */
export function changed(
  program: Program,
  fits: (command: Command, index: number) => boolean,
  change: (command: Command, index: number) => Command,
): Program {
  return withCommands(program, (commands) => {
    const at = commands.findIndex(fits);
    if (at < 0) throw new Error("no command fits");
    return commands.map((command, index) => (index === at ? change(command, index) : command));
  });
}
