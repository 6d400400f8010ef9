import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { CertifyDocument } from "../certify.ts";
import { bug, CompileError, type ErrorCode } from "../error.ts";
import type { Recipe } from "../recipe.ts";

const main = new URL(`../cli/main${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

export interface CertifierOptions {
  /** Settings over the recipe, as `--set` takes them. */
  readonly settings: readonly string[];
  /** The folder that outcomes are kept in; without one nothing is. */
  readonly cache?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, of: number) => void;
  readonly onWarning?: (text: string) => void;
}

interface ErrorDocument {
  readonly schema: "optimus-compile/error@1";
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly where?: string;
    readonly remedy?: string;
  };
}

/**
 * Runs `optimus-compile certify` as a process of its own, which is told the artifact, the recipe and nothing else: the
 * compiler does not judge itself. The process ends when this one does, since its channel closes then.
 */
export async function certifyApart(
  artifact: string,
  recipe: Recipe,
  options: CertifierOptions,
): Promise<CertifyDocument> {
  const settings = options.settings.flatMap((setting) => ["--set", setting]);
  const key = recipe.certifierKey === undefined ? [] : ["--key", recipe.certifierKey];
  const child = fork(
    fileURLToPath(main),
    [
      "certify",
      artifact,
      "--recipe",
      recipe.file,
      "--jobs",
      String(recipe.jobs),
      "--first",
      "--json",
      ...(options.cache === undefined ? ["--no-cache"] : ["--cache", options.cache]),
      ...key,
      ...settings,
    ],
    { stdio: ["ignore", "pipe", "pipe", "ipc"], execArgv: [] },
  );
  const stop = () => child.kill("SIGTERM");
  options.signal?.addEventListener("abort", stop, { once: true });
  child.on("message", (message: { done: number; of: number }) => options.onProgress?.(message.done, message.of));
  const [output, talk, code] = await Promise.all([
    collect(child.stdout!),
    collect(child.stderr!),
    new Promise<number | null>((done, fail) => child.once("error", fail).once("close", done)),
  ]).finally(() => options.signal?.removeEventListener("abort", stop));
  options.signal?.throwIfAborted();
  return answerOf(output, talk, code, options);
}

function answerOf(output: string, talk: string, code: number | null, options: CertifierOptions): CertifyDocument {
  let answer: CertifyDocument | ErrorDocument;
  try {
    answer = JSON.parse(output) as CertifyDocument | ErrorDocument;
  } catch {
    return bug(`the certifier ended with ${code} and said: ${talk.slice(-2000)}`);
  }
  if (!("error" in answer)) {
    for (const line of talk.split("\n"))
      if (line.startsWith("warning ")) options.onWarning?.(line.slice("warning ".length));
    return answer;
  }
  const { code: kind, message, where, remedy } = answer.error;
  if (kind === "bug" || kind === "interrupted") return bug(`the certifier: ${message}\n${talk.slice(-4000)}`);
  throw new CompileError(kind as ErrorCode, message, { ...(where && { where }), ...(remedy && { remedy }) });
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  stream.setEncoding("utf8");
  for await (const piece of stream) text += piece as string;
  return text;
}
