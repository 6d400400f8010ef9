/**
 * The array as hardware against the machine executor: `npm run test:rtl -- [--layers N] [--seed S]`. Random layers become
 * Programs; Verilator runs their array commands on test/rtl/*.sv. Output bytes must be the machine's, and the array's busy
 * cycles those of src/emulate. The last line says how many layers passed.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type AnyArray, ELEMENT_BYTES } from "../../src/emulate/machine/memory.ts";
import { createMachine } from "../../src/emulate/machine.ts";
import { timeProgram } from "../../src/emulate/timing.ts";
import { CompileError } from "../../src/error.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { valuesOf } from "../../src/ir/tensor.ts";
import { encodeProgram } from "../../src/schedule/encode.ts";
import type { Command, Program } from "../../src/schedule/program.ts";
import { schedule } from "../../src/schedule/schedule.ts";
import { loadTarget } from "../../src/target/load.ts";
import type { Target } from "../../src/target/schema.ts";
import { type Draw, drawFrom } from "../emulate/cases.ts";
import { randomLayer } from "./layers.ts";
import { vectorOf } from "./vectors.ts";

const SRAM_BYTES = 2 ** 16;
const SOURCES = ["types", "arithmetic", "mac_array", "pixels", "array_unit"];

interface Configuration {
  readonly name: string;
  readonly target: Target;
}

/**
 * The second has the chip's size; in the first, port and lanes shrink with the rows, so that they bind just as often. The
 * SRAM behind the ports and the dispatch of commands are not part of the hardware here, so they cost nothing.
 */
function configurations(): Configuration[] {
  const small = ["array.rows=8", "array.columns=8", "array.activationPortBytes=21", "vector.lanes=11"];
  const free = ["issueCycles=0", "sram.readBytesPerCycle=1M", "sram.writeBytesPerCycle=1M"];
  return [
    { name: "8x8", target: loadTarget("ai4", { set: [...small, ...free] }) },
    { name: "96x96", target: loadTarget("ai4", { set: free }) },
  ];
}

/** Verilator's version, for the record. Throws where Debian's package is missing: a run without hardware proves nothing. */
function findVerilator(): string {
  const { stdout, error } = spawnSync("verilator", ["--version"], { encoding: "utf8" });
  if (error) throw new Error("there is no verilator: install Debian's packages verilator, g++ and make");
  return stdout.trim();
}

/** Verilates and compiles the array for one configuration; the path of the program. */
function buildBench({ array, vector }: Target, folder: string): string {
  const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const parameters = {
    ROWS: array.rows,
    COLUMNS: array.columns,
    LANES: vector.lanes,
    PORT_BYTES: array.activationPortBytes,
    TABLE_STEPS: vector.steps.interpolate,
    SRAM_BYTES,
  };
  const options = ["--cc", "--exe", "--build", "-O3", "--x-assign", "fast", "--x-initial", "fast", "-Wall"];
  // Fields of a command that one part does not need; state of one process only (mac_array.sv says why).
  const accepted = ["-Wno-UNUSEDSIGNAL", "-Wno-BLKSEQ"];
  const given = Object.entries(parameters).map(([name, value]) => `-G${name}=${value}`);
  const files = [...SOURCES.map((name) => here(`${name}.sv`)), here("main.cpp")];
  const made = ["--top-module", "array_unit", "-MAKEFLAGS", "OPT_FAST=-O2", "-Mdir", folder];
  execFileSync("verilator", [...options, ...accepted, ...given, ...made, ...files], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  return join(folder, "Varray_unit");
}

interface Layer {
  readonly label: string;
  readonly vector: Uint8Array;
  readonly output: string;
  /** The array's, as our timing says. */
  readonly cycles: number;
  readonly commands: number;
}

/** Depthwise layers stay on the array, in one of its two ways. */
function onArray(target: Target, draw: Draw): Target {
  const depthwise: Target["array"]["depthwise"] = draw.maybe() ? ["column"] : ["column", "toeplitz"];
  return { ...target, array: { ...target.array, depthwise } };
}

function makeLayer(seed: string, given: Target): Layer | undefined {
  const draw = drawFrom(seededRandom(seed));
  const target = onArray(given, draw);
  const { graph, feeds } = randomLayer(draw, given.array);
  let program: Program;
  try {
    ({ program } = schedule(graph, target, { sramBytes: draw.pick([8, 16, 32, 64]) * 1024 }));
  } catch (error) {
    if (error instanceof CompileError && ["model/layer-too-large", "model/does-not-fit"].includes(error.code))
      return undefined;
    throw error;
  }
  const inputs = new Map([...feeds].map(([name, tensor]) => [name, valuesOf(tensor) as AnyArray]));
  const output = createMachine(encodeProgram(program)).run("main", inputs).get("y") as Int8Array;
  const bytes = new Uint8Array(output.buffer, output.byteOffset, output.byteLength);
  const ordered = arrayFirst(program);
  const { settles, cycles, commands } = timesOf(ordered, target);
  return {
    label: `${seed} ${graph.nodes[0].op}`,
    vector: vectorOf(ordered, memoryOf(program, inputs), settles, target.array.rows),
    output: Buffer.from(bytes).toString("hex"),
    cycles,
    commands,
  };
}

/** The DRAM before the run. */
function memoryOf(program: Program, inputs: ReadonlyMap<string, AnyArray>): Uint8Array {
  const dram = new Uint8Array(program.dramBytes);
  dram.set(program.weights);
  for (const { name, address, dtype } of program.entries[0].inputs) {
    const data = inputs.get(name) as Int8Array;
    dram.set(new Uint8Array(data.buffer, data.byteOffset, data.length * ELEMENT_BYTES[dtype]), address);
  }
  return dram;
}

/** The program in another legal order, the array as early as it can be: so that its commands follow each other. */
function arrayFirst(program: Program): Program {
  const [entry] = program.entries;
  const queues = ["array", "dma-in", "vector", "dma-out", "cpu"].map((engine) =>
    [...entry.commands.keys()].filter((id) => entry.commands[id].engine === engine),
  );
  const place = new Map<number, number>();
  const commands: Command[] = [];
  while (commands.length < entry.commands.length) {
    const queue = queues.find(([id]) => id !== undefined && entry.commands[id].waits.every((wait) => place.has(wait)));
    const id = queue?.shift();
    if (id === undefined) throw new Error("no command can begin");
    place.set(id, commands.length);
    const waits = entry.commands[id].waits.map((wait) => place.get(wait) as number);
    commands.push({ ...entry.commands[id], waits });
  }
  return { ...program, entries: [{ ...entry, commands }] };
}

/** The array's commands alone, one behind the other; a copy that waits for one of them lets the array drain first. */
function timesOf(program: Program, target: Target) {
  const settles = new Set<number>();
  const lone: Command[] = [];
  let [running, settled] = [[] as number[], false];
  for (const [id, command] of program.entries[0].commands.entries()) {
    if (command.waits.some((wait) => running.includes(wait))) {
      settles.add(id);
      [running, settled] = [[], true];
    }
    if (command.engine !== "array") continue;
    const waits = settled && lone.length > 0 ? [lone.length - 1] : [];
    lone.push({ ...command, waits });
    [running, settled] = [[...running, id], false];
  }
  const only = { ...program, entries: [{ ...program.entries[0], commands: lone }] };
  return { settles, cycles: timeProgram(only, target).cycles, commands: lone.length };
}

/** Why a layer fails; undefined where it passes. */
function judge(layer: Layer, line: string | undefined): string | undefined {
  const [cycles, output] = (line ?? "").split(" ");
  if (output !== layer.output) return "other bits";
  if (Number(cycles) !== layer.cycles) return `${cycles} cycles, expected ${layer.cycles}`;
  return undefined;
}

function runLayers({ name, target }: Configuration, count: number, seed: number): [number, number] {
  const folder = mkdtempSync(join(tmpdir(), "rtl-"));
  try {
    const bench = buildBench(target, join(folder, "obj"));
    const layers: Layer[] = [];
    for (let draw = 0; layers.length < count; draw++) {
      const layer = makeLayer(`${name} ${seed} ${draw}`, target);
      if (layer !== undefined) layers.push(layer);
    }
    const file = join(folder, "vectors");
    writeFileSync(
      file,
      Buffer.concat([Buffer.from(Int32Array.of(count).buffer), ...layers.map(({ vector }) => vector)]),
    );
    const { stdout, status } = spawnSync(bench, [file], { encoding: "utf8", maxBuffer: 2 ** 30 });
    if (status !== 0) throw new Error(`the simulation ended with status ${status}`);
    const lines = stdout.split("\n");
    const failures = layers.flatMap((layer, index) => {
      const why = judge(layer, lines[index]);
      return why === undefined ? [] : [`FAIL ${layer.label}: ${why}`];
    });
    for (const failure of failures.slice(0, 20)) console.log(failure);
    const sum = (of: (layer: Layer) => number) => layers.reduce((total, layer) => total + of(layer), 0);
    const [commands, cycles] = [sum((layer) => layer.commands), sum((layer) => layer.cycles)];
    console.log(`${name}: ${count} layers, ${commands} commands of the array, ${cycles} cycles`);
    return [count - failures.length, failures.length];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const { values } = parseArgs({ options: { layers: { type: "string" }, seed: { type: "string" } } });
console.log(findVerilator());
let [passed, failed] = [0, 0];
for (const configuration of configurations()) {
  const [good, bad] = runLayers(configuration, Number(values.layers ?? 1000), Number(values.seed ?? 0));
  [passed, failed] = [passed + good, failed + bad];
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
