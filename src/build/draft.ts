import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Artifact } from "../artifact/container.ts";
import { isAlive, writeArtifact } from "../artifact/file.ts";
import { CompileError } from "../error.ts";

/** An artifact on its way: it has its own name until it is certified, and takes the final one whole. */
export interface Draft {
  readonly path: string;
  /** @returns the final path */
  publish(): string;
  discard(): void;
}

/** Throws CompileError usage/cannot-write. */
export function writeDraft(folder: string, name: string, artifact: Artifact): Draft {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw new CompileError("usage/cannot-write", `cannot make the folder (${(error as NodeJS.ErrnoException).code})`, {
      where: folder,
      remedy: "Choose another --out.",
    });
  }
  removeStale(folder, name);
  const path = join(folder, `.${name}.${process.pid}.draft`);
  const final = join(folder, `${name}.dopt`);
  const discard = () => rmSync(path, { force: true });
  process.once("exit", discard);
  writeArtifact(path, artifact);
  return {
    path,
    publish() {
      renameSync(path, final);
      process.off("exit", discard);
      return final;
    },
    discard() {
      discard();
      process.off("exit", discard);
    },
  };
}

/** Drafts of builds that were killed: nobody will publish them. */
function removeStale(folder: string, name: string): void {
  for (const file of readdirSync(folder)) {
    if (!file.startsWith(`.${name}.`)) continue;
    const pid =
      /\.(\d+)\.(draft|tmp)$/.exec(file.slice(name.length + 1))?.[1] ?? /\.(\d+)\.draft\.\d+\.tmp$/.exec(file)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) rmSync(join(folder, file), { force: true });
  }
}
