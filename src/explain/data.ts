import type { Entries } from "./entry.ts";

const WRITE = "Write the file again with the program that made it.";

/** Of the family usage: what is wrong with data. */
export const data: Entries = {
  "bad-image": ["A picture cannot be decoded.", "A damaged file, or another format.", "Give PNG, JPEG or WebP."],
  "bad-json": [
    "A line of a jsonl file is no JSON object.",
    "A comma at the end, or a wrapped line.",
    "One object a line.",
  ],
  "bad-wav": [
    "A recording is not of the form that is read.",
    "Another rate, several channels, or compression.",
    "Convert it; the message has a command.",
  ],
  "broken-data": ["Compressed data is damaged.", "An interrupted copy.", WRITE],
  "broken-npy": ["An array's header is damaged.", "An interrupted copy, or another program's variant.", WRITE],
  "broken-npz": ["An archive is damaged.", "An interrupted copy, or a zip that is none.", WRITE],
  data: ["Data is neither {npz: FILE} nor {reader: NAME, …}.", "Both or none were given.", "Give one of them."],
  "data-input": [
    "The data has no array for an input of the model.",
    "The array has another name.",
    "Save it under the input's name.",
  ],
  "data-length": [
    "Arrays of one dataset have different lengths.",
    "Samples and targets were cut differently.",
    "The first axis of every array counts the samples.",
  ],
  "data-option": [
    "A reader's option is wrong or unknown.",
    "A typing mistake under `data`.",
    "docs/recipe.schema.json and the reader's own file have them.",
  ],
  "data-sequence": [
    "The samples of one sequence are not together.",
    "The data was shuffled.",
    "Sort the samples by sequence and step.",
  ],
  "data-shape": [
    "A sample has another shape than the model's input.",
    "Missing preprocessing, or a wrong binding in `inputs`.",
    "The first axis counts the samples; the others must be the input's.",
  ],
  "data-too-big": ["Data is larger than what is read at once.", "A hostile archive, or one huge line.", "Split it."],
  "data-type": [
    "The data's element type is not the input's.",
    "float64 where the model takes float32, for example.",
    "Save it as the input's type.",
  ],
  "empty-data": ["The data has no samples.", "`offset`, `limit` or `split` leave none.", "Check them."],
  leak: [
    "Splits share a sample or a source, so the evidence would be worth nothing.",
    "One file for two splits, or pages of one document on both sides.",
    "Use `split:`, disjoint `offset` and `limit`, or other files; give `group` what samples have in common.",
  ],
  "missing-data": [
    "A data file or folder does not exist.",
    "A mistyped path; it starts at the recipe's folder.",
    "Check the path.",
  ],
  "not-idx": [
    "A file is not IDX of unsigned bytes.",
    "Another file, or images and labels exchanged.",
    "Give the *-idx3-ubyte and *-idx1-ubyte files.",
  ],
  "pickled-data": [
    "An array holds Python objects, which are never loaded.",
    "numpy saved a list of unequal lengths.",
    "Save plain numbers, without pickle.",
  ],
  "truncated-data": ["A data file ends early.", "An interrupted copy.", WRITE],
  "unsupported-npy": [
    "An array's type or order is not read.",
    "Fortran order, complex numbers, or structures.",
    "Save it in C order as a plain number type.",
  ],
};
