import { removeDead } from "../../src/ir/edit.ts";
import type { Pass } from "../../src/pass.ts";

/** What no output, state or other node reads can have no effect: operators have none beside their outputs. */
const pass: Pass = {
  summary: "Drops nodes and constants that nothing reads.",
  run: removeDead,
};

export default pass;
