import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Values of OPTIMUS_CACHE that mean that nothing is kept. */
const OFF: ReadonlySet<string> = new Set(["off", "none", "0", "false"]);

/** Where stages are kept: OPTIMUS_CACHE, else the user's cache folder; undefined where OPTIMUS_CACHE says that nothing is. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const said = env.OPTIMUS_CACHE;
  if (said !== undefined && said !== "") return OFF.has(said.toLowerCase()) ? undefined : resolve(said);
  const base = env.XDG_CACHE_HOME || (process.platform === "win32" && env.LOCALAPPDATA) || join(homedir(), ".cache");
  return join(base, "optimus-compile");
}
