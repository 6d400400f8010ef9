import { describe, expect, test } from "vitest";
import { Network } from "../../bench/backend/builder.ts";
import { checkProgram, summaryOf } from "../../src/checker/check.ts";
import type { FaultKind } from "../../src/checker/fault.ts";
import { seededRandom } from "../../src/ir/random.ts";
import type { Command, Operand, Program } from "../../src/schedule/program.ts";
import { listTargets, loadTarget } from "../../src/target/load.ts";
import { drawFrom } from "../emulate/cases.ts";
import { randomGraph } from "../emulate/random-graph.ts";
import { changed, programOf, smallNetwork, withCommands } from "./programs.ts";

const target = loadTarget("ai4");
/** So small that buffers take each other's place. */
const tight = loadTarget("ai4", { set: ["sram=16KiB"] });
const program = programOf(smallNetwork(), tight);

function kindsOf(damaged: Program, chip = tight): FaultKind[] {
  return [...new Set(checkProgram(damaged, chip).faults.map(({ kind }) => kind))];
}

describe("programs of the scheduler are safe", () => {
  test.each(listTargets())("a small network on %s", (name) => {
    const chip = loadTarget(name);
    const net = new Network("plain");
    const x = net.conv(net.input("x", [1, 8, 16, 16]), 16, 3);
    const graph = net.finish([net.pool(net.sum(net.conv(x, 16, 3), x), "MaxPool", 2, 2, 0)]);
    expect(checkProgram(programOf(graph, chip), chip).faults).toEqual([]);
  });

  test("every kind of layer, in little memory", () => {
    const verdict = checkProgram(program, tight);
    expect(verdict.faults).toEqual([]);
    const { commands, proven, tightest } = summaryOf(verdict);
    expect(commands).toBe(program.entries[0].commands.length);
    expect(proven).toBeGreaterThan(8);
    expect(tightest?.bits).toBeLessThanOrEqual(tightest?.limitBits ?? 0);
  });

  test.each([[[]], [["sram=16KiB"]], [["sram=6KiB"]]])("random graphs %s", (set: string[]) => {
    const chip = loadTarget("ai4", { set });
    let ran = 0;
    for (let seed = 0; seed < 25; seed++) {
      const draw = drawFrom(seededRandom(`graph ${seed}`));
      const { graph } = randomGraph(draw, draw.int(2, 12), 2);
      let made: Program;
      try {
        made = programOf(graph, chip, 1, seed % 8 === 0);
      } catch (error) {
        if (set.length > 0 && String(error).includes("bytes")) continue;
        throw error;
      }
      expect(checkProgram(made, chip).faults, `seed ${seed}`).toEqual([]);
      ran++;
    }
    expect(ran).toBeGreaterThan(14);
  });
});

type Fields = { [key: string]: unknown };
const isConv = (command: Command) => command.kind === "conv";
const has = (role: string) => (command: Command) => role in command;
const put = (command: Command, fields: Fields): Command => ({ ...command, ...fields }) as Command;
const moved = (command: Command, role: string, by: number): Command => {
  const operand = (command as unknown as Record<string, Operand>)[role];
  return put(command, { [role]: { ...operand, address: operand.address + by } });
};

/** Index of a DMA write that is not the first command. */
const isWrite = (command: Command) => command.kind === "dma-write";

describe("a planted fault of each kind is caught", () => {
  const cases: [string, FaultKind, () => Program][] = [
    ["an operand beyond the SRAM", "bounds", () => changed(program, isConv, (c) => moved(c, "y", 1 << 20))],
    ["an operand before the SRAM", "bounds", () => changed(program, isConv, (c) => moved(c, "x", -(1 << 20)))],
    ["an NPU that is not there", "bounds", () => changed(program, isConv, (c) => put(c, { npu: 1 }))],
    ["more NPUs than the target's", "bounds", () => ({ ...program, npus: 77 })],
    ["more SRAM than the target's", "bounds", () => ({ ...program, sramBytes: 1 << 22 })],
    [
      "an int32 bias at an odd address",
      "alignment",
      () => changed(program, has("bias"), (command) => moved(command, "bias", 1)),
    ],
    [
      "a planned buffer off its line",
      "alignment",
      () => planned((buffer) => ({ ...buffer, address: buffer.address + 4 })),
    ],
    ["a result of another shape", "form", () => changed(program, isConv, (c) => put(c, { groups: 7 }))],
    ["clamps beyond the type", "form", () => changed(program, has("post"), (c) => withPost(c, { yMax: 300 }))],
    [
      "windows beyond the padding",
      "form",
      () =>
        changed(
          program,
          (c) => isConv(c),
          (c) => put(c, { pads: [0, 0, 0, 0], dilations: [5, 5] }),
        ),
    ],
    [
      "an eltwise on the array",
      "engine",
      () => changed(program, has("aMultiplier"), (c) => put(c, { engine: "array" })),
    ],
    [
      "a dense layer mapped as a depthwise one",
      "engine",
      () =>
        changed(
          program,
          (c) => isConv(c) && c.engine === "array",
          (c) => put(c, { mapping: "toeplitz", block: 4 }),
        ),
    ],
    [
      "a stride that counters cannot count",
      "limit",
      () => changed(program, has("kernel"), (c) => put(c, { strides: [2000, 1] })),
    ],
    ["a wait for the future", "order", () => changed(program, isConv, (c, at) => put(c, { waits: [at + 1] }))],
    [
      "a stop that waits for nobody",
      "order",
      () =>
        changed(
          program,
          (c) => c.kind === "stop",
          (c) => put(c, { waits: [] }),
        ),
    ],
    ["no stop", "order", () => withCommands(program, (commands) => commands.slice(0, -1))],
    ["the first load is missing", "unwritten", () => withCommands(program, (all) => replaced(all, 0))],
    ["a layer changes places with the load that it waits for", "unwritten", () => withCommands(program, exchanged)],
    [
      "an output that is never stored",
      "unwritten",
      () => withCommands(program, (all) => replaced(all, lastOf(all, isWrite))),
    ],
    [
      "weights are overwritten",
      "protected",
      () => changed(program, isWrite, (c) => moved(c, "to", -(c as { to: Operand }).to.address)),
    ],
    ["an input among the weights", "protected", () => withInputAt(0)],
    [
      "two live buffers in one place",
      "plan",
      () =>
        planned((buffer, at) =>
          at === 1 ? { ...buffer, address: planOf()[0].address, first: planOf()[0].first } : buffer,
        ),
    ],
    ["a buffer that dies too early", "plan", () => planned((buffer) => ({ ...buffer, last: buffer.first }))],
    ["no plan", "plan", () => ({ ...program, plan: [] })],
    [
      "an output on an input",
      "plan",
      () => {
        const [entry] = program.entries;
        const outputs = entry.outputs.map((port) => ({ ...port, address: entry.inputs[0].address + 8 }));
        return { ...program, entries: [{ ...entry, outputs }] };
      },
    ],
    ["weights at their extremes and a bias near the end", "range", () => loud()],
    ["a multiplier that is negative", "range", () => ({ ...program, weights: program.weights.map(() => 255) })],
  ];

  test.each(cases)("%s", (_, kind, damage) => {
    const damaged = damage();
    const chip = damaged.sramBytes > tight.sram.bytes && kind !== "bounds" ? target : tight;
    expect(kindsOf(damaged, chip)).toContain(kind);
  });

  test("every kind is among them", () => {
    const kinds: FaultKind[] = [
      ...(["bounds", "alignment", "form", "engine", "limit", "order"] as const),
      ...(["unwritten", "race", "protected", "plan", "range"] as const),
    ];
    // Races have a test of their own: order.test.ts.
    expect(new Set([...cases.map(([, kind]) => kind), "race"])).toEqual(new Set(kinds));
  });

  test("faults name the layer, need and limit", () => {
    const { faults } = checkProgram(loud(), tight);
    const { where, says } = faults.find(({ kind }) => kind === "range") ?? { where: "", says: "" };
    expect(where).toMatch(/^conv\d+$/);
    expect(says).toMatch(/reaches from -?\d+ to \d+: 3[3-9] bits, the limit is 32/);
  });
});

function planOf() {
  return program.plan[0].buffers;
}

function planned(change: (buffer: Program["plan"][0]["buffers"][0], at: number) => typeof buffer): Program {
  const [plan] = program.plan;
  return { ...program, plan: [{ ...plan, buffers: plan.buffers.map(change) }] };
}

function withPost(command: Command, fields: Fields): Command {
  return put(command, { post: { ...(command as { post: object }).post, ...fields } });
}

/** A command becomes a fill of one byte that touches nothing else: indices stay. */
function replaced(commands: readonly Command[], at: number): Command[] {
  const { npu, waits } = commands[at];
  return commands.map((command, index) =>
    index === at ? ({ kind: "stop", engine: "cpu", npu, waits, origin: [] } as Command) : command,
  );
}

/** The first layer on the array before the first of its loads. */
function exchanged(commands: readonly Command[]): Command[] {
  const layer = commands.findIndex(({ engine }) => engine === "array");
  const [load] = commands[layer].waits;
  const order = commands.map((command, at) =>
    at === layer ? commands[load] : at === load ? commands[layer] : command,
  );
  return order.map((command, at) => ({ ...command, waits: command.waits.filter((wait) => wait < at) }));
}

function lastOf(commands: readonly Command[], fits: (command: Command) => boolean): number {
  return commands.findLastIndex(fits);
}

function withInputAt(address: number): Program {
  const [entry] = program.entries;
  const inputs = entry.inputs.map((port) => ({ ...port, address }));
  return { ...program, entries: [{ ...entry, inputs }] };
}

/** Biases as large as they can be, found where a command's bias was loaded from. */
function loud(): Program {
  const weights = program.weights.slice();
  const [entry] = program.entries;
  for (const command of entry.commands) {
    if (command.kind !== "conv" || !command.bias) continue;
    const { bias } = command;
    const load = entry.commands.findLast(
      (one, at) =>
        one.kind === "dma-read" &&
        at < entry.commands.indexOf(command) &&
        one.to.address <= bias.address &&
        bias.address < one.to.address + one.to.shape.reduce((a, b) => a * b, 1),
    );
    if (load?.kind !== "dma-read" || load.from.address >= program.weightBytes) continue;
    const offset = load.from.address + bias.address - load.to.address;
    const view = new DataView(weights.buffer, weights.byteOffset);
    for (let channel = 0; channel < bias.shape[0]; channel++) view.setInt32(offset + 4 * channel, 2 ** 31 - 1, true);
  }
  return { ...program, weights };
}
