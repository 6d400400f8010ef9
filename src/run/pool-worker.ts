import { workerData } from "piscina";
import { CompileError } from "../error.ts";
import type { Reply, SetUp, WorkerSetUp } from "./pool.ts";

/** The entry of every worker thread: loads the module that the pool names, sets it up once, then takes items. */

const { module, shared } = workerData as WorkerSetUp;

function failure(error: unknown): Reply {
  if (!(error instanceof CompileError)) throw error;
  const { code, message, where, remedy } = error;
  return { error: { code, message, ...(where !== undefined && { where }), ...(remedy !== undefined && { remedy }) } };
}

const ready = import(module)
  .then((loaded: { setUp: SetUp<unknown, unknown, unknown> }) => loaded.setUp(shared))
  .then(
    (work) => ({ work }),
    (error: unknown) => ({ error }),
  );

/** One item; a user's error is told as a reply, since its class would be lost on the way. */
export default async function run(item: unknown): Promise<Reply> {
  const state = await ready;
  try {
    if ("error" in state) throw state.error;
    return { value: await state.work(item) };
  } catch (error) {
    return failure(error);
  }
}
