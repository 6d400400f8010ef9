import { workerData } from "piscina";
import { CompileError } from "../error.ts";
import type { Reply, SetUp, Work, WorkerSetUp } from "./pool.ts";

/** The entry of every worker thread: loads the module that the pool names, sets it up once, then takes items. */

const { module, shared } = workerData as WorkerSetUp;

function failure(error: unknown): Reply {
  if (!(error instanceof CompileError)) throw error;
  const { code, message, where, remedy } = error;
  return { error: { code, message, ...(where !== undefined && { where }), ...(remedy !== undefined && { remedy }) } };
}

type State = { readonly work: Work<unknown, unknown> } | { readonly error: unknown };

let state: Promise<State> | undefined;

/**
 * Set up with the first item and not before: a worker that never gets one has then nothing under way in native code when
 * the pool ends it, which would take the whole process with it.
 */
async function setUp(): Promise<State> {
  try {
    const loaded = (await import(module)) as { setUp: SetUp<unknown, unknown, unknown> };
    return { work: await loaded.setUp(shared) };
  } catch (error) {
    return { error };
  }
}

/** One item; a user's error is told as a reply, since its class would be lost on the way. */
export default async function run(item: unknown): Promise<Reply> {
  state ??= setUp();
  const found = await state;
  try {
    if ("error" in found) throw found.error;
    return { value: await found.work(item) };
  } catch (error) {
    return failure(error);
  }
}
