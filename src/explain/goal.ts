import type { Entries } from "./entry.ts";

/** Of the family usage: goals in the place of formats, and patches to a recipe. */
export const goal: Entries = {
  "goal-and-formats": [
    "A recipe has a goal, and formats besides.",
    "`quantize.weights`, `activations`, `formats`, `int16Share` or `int8Share`, in the recipe or the configuration above it.",
    "Leave out one of them: a goal chooses the formats.",
  ],
  "goal-selection": [
    "A recipe has a goal and no data to choose by.",
    "`data.selection` is missing.",
    "Add samples that are neither calibration nor certification data.",
  ],
  "open-goal": [
    "A command needs to know the formats that a recipe leaves to a goal.",
    "`export --qdq` or a sweep of targets, with a recipe that only `build` can decide.",
    "Put the formats that a build chose (`search.formats` in its `--json`) in the goal's place.",
  ],
  patch: [
    "Changes to a recipe cannot be read.",
    "A mistyped path, or a file that is no map of keys and values.",
    "`optimus-compile explain ARTIFACT --recipe R --patch FILE` writes one.",
  ],
};
