import type { Entries } from "./entry.ts";

/** Exit status 1: what was made is sound, and not good enough. */
export const gate: Entries = {
  certification: [
    "The certifier's signed verdict is that a gate failed.",
    "The artifact was certified and did not pass.",
    "See `optimus-compile report`; compile again with gentler options, or change the gate in a reviewed commit.",
  ],
  deadline: [
    "The worst case of one inference is later than the profile's deadline.",
    "The model is too large for the target, or other traffic on the bus makes it late.",
    "Choose a smaller model, a faster target, or a profile with a later deadline.",
  ],
  goal: [
    "No choice of formats holds the recipe's goal on the selection split.",
    "The goal allows too little time, or less loss than 8 and 16 bits leave.",
    "The message has the best that was found and what would help.",
  ],
  license: [
    "The licence of the teacher or of the data is not among those that the recipe allows.",
    "`licenses.allowed` lacks it.",
    "Use another teacher or other data, or allow the licence in a reviewed commit.",
  ],
  "pass-changed-numbers": [
    "A pass that must not change numbers did; `--check` found it.",
    "A mistake in that pass, or a model on the edge of what floats can hold.",
    "Leave the pass out of the recipe, and report it with the model.",
  ],
  "socs-disagree": [
    "Two chips computed different results for one frame.",
    "A fault in one of them, or two different programs.",
    "Nothing is delivered of this frame: run it again; if it happens again, take the chip out of service.",
  ],
  summary: [
    "The gate's signed summary says that the artifact did not pass.",
    "`gate` ran on it and failed.",
    "Do not release it; `optimus-compile gate` names the gates and the figures.",
  ],
  escalation: [
    "No threshold of escalation keeps the risk.",
    "System 2, by the errors and time-outs that were stated, loses more than the risk allows.",
    "Allow more risk, or escalate to something better.",
  ],
  "waiver-expired": [
    "A waiver stands in the list, and its day is over.",
    "What it excused was not repaired in time.",
    "Repair what it was about, or have a new one signed with `optimus-compile waive`.",
  ],
  "waiver-other-artifact": [
    "A waiver is for an artifact that is not judged here.",
    "The artifact was built again, so its digest is another.",
    "Have a waiver signed for this artifact, or take the old one out.",
  ],
};
