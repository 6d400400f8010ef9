import type { Entries } from "./entry.ts";

/** Exit status 5: there is not enough to judge by, which is never a pass. */
export const evidence: Entries = {
  latency: [
    "The evidence does not say how long one inference takes.",
    "It was written by another version.",
    "Give `--chip-ms`, or certify again.",
  ],
  "few-selection": [
    "A goal is to be held on samples too few to tell.",
    "`data.selection` is cut short by `limit` or `count`.",
    "Give some hundreds of samples.",
  ],
  accept: [
    "A gate that was never measured cannot be accepted.",
    "The evidence holds no figure for it.",
    "Certify with a recipe that measures it.",
  ],
  certification: [
    "The certifier's signed verdict is that the evidence does not suffice.",
    "Too few samples for the gates.",
    "Give more certification data; `gate --plan` says how much.",
  ],
  margins: [
    "The evidence does not hold what a threshold of escalation is learned from.",
    "The metric says nothing about single samples, or the program has no confidence of its own (`confidence` in the recipe).",
    "Build again with `confidence: margin` and the metric accuracy or cer, and certify.",
  ],
  metric: [
    "The evidence does not say by which metric it was judged.",
    "It was written by another version.",
    "Certify the artifact again.",
  ],
  none: [
    "Nobody has judged this artifact.",
    "It was built without certification, or the evidence was taken out.",
    "Run `optimus-compile certify` on it.",
  ],
  "one-class": [
    "A metric over two classes saw only one.",
    "The certification data, or one slice of it, holds no example of the other class.",
    "Give data with both classes.",
  ],
  pilot: [
    "The pilot is too small to plan by.",
    "It has too few independent groups.",
    "Take a larger pilot, or give the discordance yourself.",
  ],
  plan: [
    "No sensible number of labels would do for this limit.",
    "The limit is nearly zero, or the models differ too often.",
    "Allow a larger drop, or compile so that the models differ less.",
  ],
  schema: [
    "This version cannot read the evidence in the artifact.",
    "Another version wrote it.",
    "Certify the artifact again with this version.",
  ],
  "second-opening": [
    "A build may look at its certification data once, and this artifact has been judged before.",
    "`certify --first` on a certified artifact.",
    "Build again, or certify without --first: the further look then costs significance.",
  ],
  subject: [
    "The evidence is about another artifact.",
    "It was copied from one artifact into another.",
    "Get the artifact again from where it was certified, or certify it.",
  ],
  "unknown-license": [
    "Nobody says under which licence the teacher or the data may be used.",
    "Neither the package nor the recipe names it, and `licenses.allowed` is set.",
    "Say it in the recipe under `licenses`.",
  ],
};
