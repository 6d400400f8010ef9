/** The exit status of a command that a signal ended. */
export const INTERRUPTED = 130;

export class Interrupted extends Error {
  constructor(left = "nothing was written") {
    super(`interrupted: ${left}`);
    this.name = "Interrupted";
  }
}

/**
 * Runs work that Ctrl-C and its relatives abort: the signal tells the work, which cleans up and throws; a second Ctrl-C
 * waits for nothing. Throws Interrupted where the work ended that way; `left` says what is there then.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>, left?: string): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, interrupt);
  // A process that was started by another one has nobody to work for once that one is gone, however it went.
  const orphaned = () => process.exit(INTERRUPTED);
  if (process.channel) process.on("disconnect", orphaned);
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? new Interrupted(left) : error;
  } finally {
    for (const signal of signals) process.off(signal, interrupt);
    process.off("disconnect", orphaned);
  }
}
