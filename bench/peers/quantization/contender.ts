/** A row at work: quantizes in a process of its own, and then answers. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DataArray } from "../../../src/data/dataset.ts";
import { loadInteger } from "../../../src/emulate/integer.ts";
import { dequantize } from "../../../src/ir/codes.ts";
import type { Graph, Tensor } from "../../../src/ir/graph.ts";
import { decodeRecord } from "../../../src/ir/record.ts";
import { createSession } from "../../../src/run/ort.ts";
import type { Row } from "./rows.ts";

/** What a row says of itself: its settings, times and memory; or why it failed. */
export type Says = Readonly<Record<string, unknown>>;

/** A model that answers sample after sample; states go on until `reset`. */
export interface Answering {
  step(feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, DataArray>>;
  reset(): void;
  release(): Promise<void>;
}

/** Node keeps what it compiled, types taken away, as Python keeps its own. */
const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "optimus-compile-peers") };

/** Runs the row's command, for so many minutes at most. `processMs`: all of the process, from its start to its end. */
export function quantize({ command, isOurs }: Row, minutes: number): Says {
  const [program, ...args] = command;
  const options = { encoding: "utf8", maxBuffer: 2 ** 28, timeout: minutes * 60_000, env } as const;
  if (isOurs) spawnSync(program, args.slice(0, 1), options);
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(program, args, options);
  const processMs = Math.round(performance.now() - start);
  const told = command.map((word) => word.split("/").at(-1)).join(" ");
  // Some tell their progress on the same line.
  if (status === 0) return { command: told, ...JSON.parse(stdout.slice(stdout.lastIndexOf('{"peer"'))), processMs };
  const late = (error as NodeJS.ErrnoException | undefined)?.code === "ETIMEDOUT";
  return {
    command: told,
    failed: late ? `took more than ${minutes} minutes` : (reasonOf(stderr) ?? `ended with ${status}`),
  };
}

/** The last line of a traceback; where that is an error's name alone, the place, too. */
function reasonOf(stderr: string): string | undefined {
  const lines = stderr.trim().split("\n");
  const last = lines.at(-1) ?? "";
  const place = lines.findLast((line) => /^ +File "/.test(line));
  const where = place?.replace(/^.*site-packages\/(.*)", line (\d+), in (.*)$/, " ($1:$2, $3)");
  return last === "" ? undefined : `${last}${last.includes(":") ? "" : (where ?? "")}`.slice(0, 300);
}

export async function open({ isOurs, out }: Row, graph: Graph): Promise<Answering> {
  return isOurs ? openRecord(out) : openModel(out, graph);
}

/** Ours runs as the chip's integer program. */
function openRecord(file: string): Answering {
  const graph = decodeRecord(readFileSync(file));
  const internal = new Set(graph.states.map(({ output }) => output));
  const program = loadInteger(graph);
  const real = (tensor: Tensor) => (tensor.quant === undefined ? tensor : dequantize(tensor)) as DataArray;
  return {
    async step(feeds) {
      const results = [...program.run(feeds)].filter(([name]) => !internal.has(name));
      return new Map(results.map(([name, tensor]): [string, DataArray] => [name, real(tensor)]));
    },
    reset: () => program.reset(),
    release: async () => undefined,
  };
}

/** Others, and the teacher itself, under ONNX Runtime without fused integer kernels: these round otherwise from machine to machine. */
export async function openModel(model: string | Uint8Array, graph: Graph): Promise<Answering> {
  const session = await createSession(model);
  const initial = new Map(graph.states.map(({ input, init }): [string, Tensor] => [input, init]));
  let states = new Map(initial);
  return {
    async step(feeds) {
      const outputs = await session.run(new Map([...states, ...feeds]));
      for (const { input, output } of graph.states) states.set(input, outputs.get(output) as Tensor);
      for (const { output } of graph.states) outputs.delete(output);
      return outputs as Map<string, DataArray>;
    },
    reset() {
      states = new Map(initial);
    },
    release: () => session.release(),
  };
}
