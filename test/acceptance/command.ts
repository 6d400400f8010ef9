import { spawn } from "node:child_process";
import { once } from "node:events";
import { main, root } from "../cli/command.ts";

export { main, root };

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** Runs a program to its end. `seconds` is the longest that it may take. */
export async function runProgram(program: string, args: readonly string[], seconds = 1800): Promise<Finished> {
  const start = performance.now();
  const child = spawn(program, args, {
    cwd: root,
    // What an earlier run kept must not stand in for what is to be shown now.
    env: { ...process.env, OPTIMUS_CACHE: "off" },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: seconds * 1000,
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    stdout += piece;
  });
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr += piece;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr, seconds: (performance.now() - start) / 1000 };
}

/** The command on this very Node. */
export function optimus(...args: string[]): Promise<Finished> {
  return runProgram(process.execPath, [main, ...args]);
}

/** The last thing that a program complained about. */
export function complaint({ code, stderr }: Finished): string {
  const lines = stderr.trim().split("\n");
  const from = Math.max(
    0,
    lines.findLastIndex((line) => /^(error\[|bug)/.test(line)),
  );
  return `exit ${code}: ${lines
    .slice(from, from + 4)
    .join(" ")
    .slice(0, 600)}`;
}
