import { fileURLToPath } from "node:url";
import { Piscina } from "piscina";
import { CompileError, type ErrorCode } from "../error.ts";

/**
 * Work over many samples in worker threads. Results come in the order of the items, whatever the number of workers, so
 * what is made of them is the same for one and for twenty.
 */
export interface Pool {
  readonly jobs: number;
  /**
   * Each worker loads `module` once and calls its `setUp(shared)`, which returns the function for one item. Items are
   * taken as they are needed: memory does not grow with their number. `shared`, items and results are cloned.
   * Throws what a worker throws (a CompileError stays one) and the signal's reason where that is aborted.
   */
  map<Shared, Item, Result>(
    module: URL,
    shared: Shared,
    items: Iterable<Item> | AsyncIterable<Item>,
    options?: { readonly signal?: AbortSignal },
  ): AsyncGenerator<Awaited<Result>, void, undefined>;
}

/** What a worker's module exports. */
export type SetUp<Shared, Item, Result> = (shared: Shared) => Work<Item, Result> | Promise<Work<Item, Result>>;
export type Work<Item, Result> = (item: Item) => Result | Promise<Result>;

/** What travels back: an error's class does not survive the way between threads. */
export type Reply =
  | { readonly value: unknown }
  | { readonly error: { readonly code: ErrorCode; readonly message: string; where?: string; remedy?: string } };

export interface WorkerSetUp {
  readonly module: string;
  readonly shared: unknown;
}

/** Tasks that wait beside the running ones, so that no worker waits for the next item. */
const AHEAD = 2;

const entry = new URL(import.meta.url.endsWith(".ts") ? "./pool-worker.ts" : "./pool-worker.js", import.meta.url);

/** A pool of `jobs` workers. They start with each `map` and end with it, also where it is left early or fails. */
export function createPool(jobs: number): Pool {
  if (!Number.isSafeInteger(jobs) || jobs < 1 || jobs > 1024) {
    throw new CompileError("usage/bad-jobs", `${jobs} is not a number of workers`, { remedy: "give 1 or more" });
  }
  return {
    jobs,
    async *map<Shared, Item, Result>(
      module: URL,
      shared: Shared,
      items: Iterable<Item> | AsyncIterable<Item>,
      options: { readonly signal?: AbortSignal } = {},
    ) {
      const { signal } = options;
      signal?.throwIfAborted();
      const workerData: WorkerSetUp = { module: module.href, shared };
      const threads = startThreads(jobs, workerData);
      const pending: Promise<Reply>[] = [];
      try {
        for await (const item of items) {
          signal?.throwIfAborted();
          const task: Promise<Reply> = threads.run(item);
          task.catch(() => undefined); // told when its turn comes; until then it must not count as unhandled
          pending.push(task);
          if (pending.length >= jobs * AHEAD) yield (await next(pending, signal)) as Awaited<Result>;
        }
        while (pending.length > 0) yield (await next(pending, signal)) as Awaited<Result>;
      } finally {
        // A thread that is ended inside ONNX Runtime takes the process with it: what runs is let finish, a few items at most.
        await Promise.allSettled(pending);
        await threads.destroy();
      }
    },
  };
}

/** Workers that stay, for work whose items follow from the results before them. */
export interface Crew<Item, Result> {
  /** Throws what the worker throws; a CompileError stays one. */
  run(item: Item): Promise<Result>;
  /** Ends the workers once what they have under way is done. */
  close(): Promise<void>;
}

/** As `map` starts them: each worker loads `module` and calls its `setUp(shared)` with its first item. Items are taken in order. */
export function openCrew<Shared, Item, Result>(jobs: number, module: URL, shared: Shared): Crew<Item, Result> {
  const threads = startThreads(jobs, { module: module.href, shared });
  const pending = new Set<Promise<Reply>>();
  return {
    async run(item) {
      const task: Promise<Reply> = threads.run(item);
      pending.add(task);
      try {
        return contentOf(await task) as Result;
      } finally {
        pending.delete(task);
      }
    },
    async close() {
      await Promise.allSettled(pending);
      await threads.destroy();
    },
  };
}

function startThreads(jobs: number, workerData: WorkerSetUp): Piscina {
  return new Piscina({
    filename: fileURLToPath(entry),
    workerData,
    minThreads: jobs,
    maxThreads: jobs,
    idleTimeout: Number.POSITIVE_INFINITY,
    atomics: "disabled",
  });
}

function contentOf(reply: Reply): unknown {
  if ("value" in reply) return reply.value;
  const { code, message, ...details } = reply.error;
  throw new CompileError(code, message, details);
}

async function next(pending: Promise<Reply>[], signal: AbortSignal | undefined): Promise<unknown> {
  signal?.throwIfAborted();
  let reply: Reply;
  try {
    reply = (await pending.shift()) as Reply;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
  return contentOf(reply);
}
