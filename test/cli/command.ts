import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "../..");

/** The built command where it is newer than every source, the sources themselves (which run as they are) elsewhere. */
export const main = builtIsFresh() ? join(root, "dist/src/cli/main.js") : join(root, "src/cli/main.ts");

function builtIsFresh(): boolean {
  const built = join(root, "dist/src/cli/main.js");
  if (!existsSync(built)) return false;
  const { mtimeMs } = statSync(built);
  return ["src", "passes"].every((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .every((name) => statSync(join(root, folder, name)).mtimeMs <= mtimeMs),
  );
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called once the process runs. */
  readonly started?: (child: ReturnType<typeof spawn>) => void;
}

/** Runs the command as a user does, without a terminal. */
export async function optimus(
  args: readonly string[],
  { cwd = root, env, started }: RunOptions = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...process.env, CI: undefined, NO_COLOR: "1", FORCE_COLOR: undefined, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    stdout += piece;
  });
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr += piece;
  });
  started?.(child);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}
