import { printable } from "../report/escape.ts";
import { formatMs } from "../report/table.ts";
import { say, warn } from "./terminal.ts";

/** What a person sees while a command works. All of it goes to stderr. */
export interface Progress {
  /** A stage began; the one before it ended. */
  stage(name: string): void;
  /** What the stage is at now. */
  detail(text: string): void;
  warn(text: string): void;
  /** Nothing more will come: the last stage ended well, or did not. */
  close(good: boolean): Promise<void>;
}

export interface ProgressOptions {
  readonly stages: readonly string[];
  /** A spinner that is redrawn, instead of one line a stage. */
  readonly live: boolean;
}

export async function openProgress({ stages, live }: ProgressOptions): Promise<Progress> {
  return live ? openLive(stages) : openPlain();
}

export function isLive(ci: boolean): boolean {
  // A terminal that does not tell its width would be drawn one letter a line.
  return process.stderr.isTTY && process.stderr.columns > 20 && !ci && process.env.TERM !== "dumb";
}

function openPlain(): Progress {
  let current: { name: string; start: number } | undefined;
  const end = () => {
    if (current !== undefined) say(`${current.name}: ${formatMs(performance.now() - current.start)}`);
    current = undefined;
  };
  return {
    stage(name) {
      end();
      current = { name, start: performance.now() };
    },
    detail: () => undefined,
    warn,
    async close(good) {
      if (good) end();
    },
  };
}

/** listr2 runs tasks; ours are promises that the stages fulfil as they end. */
async function openLive(stages: readonly string[]): Promise<Progress> {
  const { Listr, ListrLogger, ProcessOutput } = await import("listr2");
  const steps = stages.map((name) => ({ name, ...Promise.withResolvers<void>() }));
  let reached = -1;
  let output: { output: string } | undefined;
  const warnings: string[] = [];
  const processOutput = new ProcessOutput(process.stderr, process.stderr, { leaveEmptyLine: false });
  const list = new Listr(
    steps.map(({ name, promise }) => ({
      title: name,
      async task(_, task) {
        output = task;
        await promise;
      },
    })),
    {
      concurrent: false,
      exitOnError: true,
      registerSignalListeners: false,
      collectErrors: false,
      rendererOptions: {
        logger: new ListrLogger({ processOutput, useIcons: true }),
        showErrorMessage: false,
        collapseErrors: true,
      },
    },
  );
  const finished = list.run().catch(() => undefined);
  return {
    stage(name) {
      const next = steps.findIndex((step) => step.name === name);
      for (; reached < next; reached++) steps[reached]?.resolve();
    },
    detail(text) {
      if (output !== undefined) output.output = printable(text, process.stderr.columns || 80);
    },
    warn: (text) => warnings.push(text),
    async close(good) {
      for (const step of steps.slice(Math.max(0, reached))) {
        if (good) step.resolve();
        else step.reject(new Error("stopped"));
        // A promise that nobody reached would be an unhandled rejection.
        step.promise.catch(() => undefined);
      }
      await finished;
      for (const text of warnings) warn(text);
    },
  };
}
