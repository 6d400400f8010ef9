import { Command } from "commander";
import type { TrainingProgress } from "../training/run.ts";
import { interruptible } from "./interrupt.ts";
import { isCi, wholeNumber } from "./options.ts";
import { isLive } from "./progress.ts";
import { printJson, say, tell, warn } from "./terminal.ts";

interface Flags {
  readonly out: string;
  readonly resume?: boolean;
  readonly jobs?: number;
  readonly json?: boolean;
  readonly ci?: boolean;
}

export const train = new Command("train")
  .description("train an ONNX network as a training's recipe says")
  .argument("<recipe>", "a YAML file, for example recipes/train/fashion-mnist.yaml")
  .option("--out <folder>", "folder for the trained model, its metrics and its checkpoints", "out")
  .option("--resume", "go on from the newest checkpoint, to the same weights")
  .option(
    "--jobs <n>",
    "threads that share out a batch's shards; all cores unless said, and the result does not depend on it",
    wholeNumber(1),
  )
  .option("--json", "print one JSON document")
  .option("--ci", "a line an epoch instead of one that is redrawn (on by itself where CI=true)")
  .action(async (path: string, flags: Flags) => {
    const { resolve } = await import("node:path");
    const { usualJobs } = await import("../recipe.ts");
    const { loadTraining } = await import("../recipe/training.ts");
    const { runTraining } = await import("../training/run.ts");
    const { latencyOf } = await import("../latency.ts");
    const recipe = loadTraining(path);
    const progress = lines(isLive(isCi(flags)));
    const result = await interruptible(
      (signal) =>
        runTraining(recipe, {
          ...{ out: resolve(flags.out), resume: flags.resume ?? false },
          jobs: flags.jobs ?? usualJobs(recipe.threads),
          ...{ signal, warn, progress, latency: latencyOf },
        }),
      "--resume goes on from the last checkpoint",
    );
    if (isLive(isCi(flags))) say("");
    if (flags.json) printJson(result);
    else {
      const value = result.metric ? `, ${result.metric.name} ${result.metric.value.toFixed(4)}` : "";
      tell(`${result.model}: ${result.parameters} parameters after ${result.steps} steps${value}\n`);
    }
  });

/** Milliseconds between two drawings of the live line. */
const REDRAW = 100;

/** One line on stderr that is redrawn; without a terminal a line for each validation, and for the end. */
function lines(live: boolean): (now: TrainingProgress) => void {
  const start = performance.now();
  let drawn = Number.NEGATIVE_INFINITY;
  let judged: number | undefined;
  return (now) => {
    const isNews = now.done === now.steps || (now.metric !== undefined && now.metric.value !== judged);
    judged = now.metric?.value;
    const at = performance.now();
    if (!live && isNews) say(textOf(now, at - start));
    if (!live || (!isNews && at - drawn < REDRAW)) return;
    drawn = at;
    process.stderr.write(`\r\u001b[2K${textOf(now, at - start).slice(0, process.stderr.columns - 1)}`);
  };
}

function textOf({ done, begun, steps, batch, loss, metric }: TrainingProgress, ms: number): string {
  const perSecond = ((done - begun) * 1000) / Math.max(1, ms);
  const seconds = Math.round((steps - done) / Math.max(perSecond, 1e-6));
  const left = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
  const measured = metric ? `, ${metric.name} ${metric.value.toFixed(4)}` : "";
  return `step ${done}/${steps}: loss ${loss.toFixed(4)}${measured}, ${Math.round(perSecond * batch)} samples/s, ${left} left`;
}
