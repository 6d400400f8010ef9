import { data } from "./data.ts";
import type { Entries } from "./entry.ts";
import { goal } from "./goal.ts";

const HELP = "COMMAND --help lists arguments and options.";

/** Exit status 2: the command line, a file that was named, or what it says. Data has a page of its own. */
export const usage: Entries = {
  prices: [
    "What decisions cost cannot be told.",
    "Some of --decisions, --call-cost and --call-ms are missing, or one is no number of zero or more.",
    "Give all three.",
  ],
  checkpoint: [
    "A training's checkpoint cannot be used.",
    "It is damaged, not whole, or of another model.",
    "`train --resume` takes the one before it by itself; where none is whole, begin anew in another folder.",
  ],
  "other-training": [
    "A training was to go on from another training's checkpoint.",
    "The model, the data or a setting was changed since.",
    "Resume with the recipe as it was, or begin anew in another folder.",
  ],
  "training-begun": [
    "A training was to begin in a folder where one is.",
    "An earlier run, finished or not, has its checkpoints there.",
    "`--resume` goes on with it; otherwise remove the folder or choose another one.",
  ],
  "loss-shape": [
    "A loss compares two values that cannot be compared.",
    "The student's value and the teacher's differ in more than their channels.",
    "Name values that say the same of the same input: `optimus-compile inspect --text` prints them with their shapes.",
  ],
  "student-too-large": [
    "No student of the teacher is as small as the recipe asks.",
    "`student.maxMs` or `student.macs` is less than what the narrowest student without residual blocks takes.",
    "Allow more, or bring a smaller network as `model`.",
  ],
  "attest-unsigned": [
    "A gate that believes nobody cannot sign.",
    "`--attest` together with `--unsigned`.",
    "Give both public keys in the place of `--unsigned`.",
  ],
  "accept-gate": [
    "A gate was to be accepted that the budgets do not hold.",
    "A mistyped --gate.",
    "The message lists those of the entry.",
  ],
  "not-a-loss": [
    "What is to be differentiated is not one number.",
    "The name of scores where that of a loss was meant.",
    "Reduce it to a mean or a sum, or add a loss to the graph.",
  ],
  "nothing-quantized": [
    "The recipe's passes quantize nothing that could be exported.",
    "A list of passes of one's own without `lower/integer`.",
    "Use the preset `default`, or a list that quantizes and lowers.",
  ],
  "bad-binding": [
    "What the recipe binds to an input does not fit the model.",
    "A shape of another rank, values of another type, or an output that is not there.",
    "`optimus-compile inspect MODEL` shows inputs and outputs.",
  ],
  "bad-input": [
    "Codes for the emulator are of another type or shape than the program's input.",
    "Floats were given where codes belong.",
    "Give codes of the input's own type and shape.",
  ],
  "bad-jobs": ["The number of workers is none.", "--jobs below 1 or above 1024.", "Give a number from 1 on."],
  "bad-lock": [
    "The lock cannot be read by this version.",
    "It was edited by hand, or another version wrote it.",
    "Get it from version control, or remove it and build with --lock.",
  ],
  "bad-metric": [
    "A module of your own does not make a metric.",
    "It lacks a default export.",
    "See docs/metrics or src/evidence/metric.ts for what it must export.",
  ],
  "bad-override": [
    "A target was changed in a way that would change the network's integers.",
    "A sweep over the arithmetic instead of sizes and rates.",
    "Build again for such a target.",
  ],
  "bad-reference": [
    "A reference does not name a file of a package.",
    "`npm:` without a path, or a path that leaves the package.",
    "npm:PACKAGE/PATH, for example npm:my-models/assets/model.onnx",
  ],
  "bad-setting": ["--set is not KEY.KEY=VALUE.", "The `=` is missing.", "For example --set quantize.calibrator=mse"],
  "bad-target": [
    "A hardware description is not valid.",
    "A missing or mistyped key; docs/targets.md has them all.",
    "The message names the key.",
  ],
  budgets: [
    "The budgets file says what no budgets can say.",
    "A mistyped key or value; the caret shows where.",
    "docs/gates.md shows a whole file.",
  ],
  "budgets-syntax": [
    "The budgets file is not YAML.",
    "Indentation, or an unclosed quote; the caret shows where.",
    "docs/gates.md shows a whole file.",
  ],
  "cannot-write": [
    "A file cannot be written.",
    "No permission, a full disk, or a folder that cannot be made.",
    "Choose another place with --out, or make room.",
  ],
  config: [
    "The configuration says what none can say.",
    "A mistyped key in optimus.config.yaml or .json, or a file of another user.",
    "`optimus-compile config print RECIPE` shows every setting and where it comes from.",
  ],
  "conflicting-option": ["Two options exclude each other.", "Both were given.", HELP],
  erratum: [
    "An erratum says what none can say.",
    "A mistyped key or value in its YAML.",
    "docs/trust.md shows a whole one.",
  ],
  "excess-arguments": ["There are more arguments than the command takes.", "A blank in a path without quotes.", HELP],
  "file-too-large": [
    "A file is larger than what is read.",
    "It is another file than the one meant.",
    "Check the path.",
  ],
  "init-answer": [
    "`init` lacks an answer that nobody is there to give.",
    "No terminal, or CI=true, and a flag is missing.",
    "Give the flag that the message names.",
  ],
  "init-data": [
    "`init` cannot make disjoint splits of the data, or does not know its kind.",
    "Too few samples, or a file that is no npz, jsonl, IDX or folder of pictures.",
    "Write the recipe's `data` by hand: docs/recipe.schema.json has every key.",
  ],
  "init-exists": [
    "There is a file of that name already.",
    "`init` ran before.",
    "Choose another --out, or give --force to replace it.",
  ],
  "invalid-argument": ["An option's value is not of the kind that it takes.", "A word where a number belongs.", HELP],
  "invalid-option": [
    "An option of a pass has a value that it cannot have.",
    "A mistyped value in the recipe's `passes`.",
    "docs/passes.md lists every pass's options.",
  ],
  "key-exists": [
    "A key is there already, and what it signed needs it.",
    "`keygen` ran before.",
    "Choose another --out, or --force if nothing was signed with it.",
  ],
  "lock-changed": [
    "Teacher, data, target or tool are not as they were locked.",
    "Something was updated since.",
    "Look at what changed; if it is meant, build with --lock and commit the new lock.",
  ],
  "metric-option": [
    "A metric lacks an option, or has one that it does not know.",
    "metric: cer without its dictionary, for example.",
    "metric: {name: cer, dictionary: FILE}",
  ],
  "metric-output": [
    "The metric reads an output that the model has not.",
    "A mistyped `output`.",
    "`optimus-compile inspect MODEL` lists the outputs.",
  ],
  "metric-target": [
    "The metric needs targets that the data has not, or has in another form.",
    "The data lacks an array `target`.",
    "Add targets, or use metric: agreement, which needs none.",
  ],
  "missing-argument": ["A command lacks an argument.", "It was forgotten.", HELP],
  "missing-input": [
    "An input of the model was not given.",
    "The npz lacks an array of its name.",
    "Save one array an input, under the input's name.",
  ],
  "missing-mandatory-option-value": ["An option that must be given is missing.", "It was forgotten.", HELP],
  "missing-package": [
    "An npm or system package that data comes from is not installed.",
    "It is a development dependency.",
    "The message has the command that installs it.",
  ],
  "missing-recipe": [
    "The recipe cannot be read.",
    "A mistyped path.",
    "Give a path, for example recipes/quickstart.yaml; `optimus-compile init` writes one.",
  ],
  "no-budget": ["No entry of the budgets fits the artifact.", "The artifact has another name.", "Add an entry for it."],
  "no-calibration": [
    "Quantization needs calibration data, and there is none.",
    "The recipe lacks data.calibration.",
    "Add it: inputs alone do, without targets.",
  ],
  "no-int4-activations": [
    "Layers would read activations of 4 bits on a chip that has none.",
    "`quantize.activations: int4`, a format W4A4 or W8A4, or a model that came quantized so, for a target whose description has none.",
    "Use W4A8, or a target whose description has `array.int4Activations`, as ai5-preview has.",
  ],
  "no-lock": [
    "--locked, and there is no lock of this recipe.",
    "It was never built with --lock.",
    "Build once with --lock, and commit the file.",
  ],
  "no-such-file": [
    "A file cannot be opened.",
    "A mistyped path, or no permission.",
    "Paths on the command line start at the current folder, those in a recipe at the recipe's.",
  ],
  "not-a-file": ["A path is not a plain file.", "It is a folder or a pipe.", "Give the file itself."],
  "not-calibrated": [
    "A value has no range, because calibration did not see it.",
    "Calibration samples that never reach this part of the network.",
    "Give calibration data that does.",
  ],
  "option-missing-argument": ["An option lacks its value.", "It was forgotten.", HELP],
  "other-metric": [
    "Baseline and artifact were measured by different metrics.",
    "The recipe's metric changed.",
    "Certify both by the same metric.",
  ],
  "output-without-input": ["--output needs --input.", "There is nothing to run.", "Give --input X.npz."],
  "own-metric": [
    "A metric of your own, or one with options, must be named.",
    "The gate does not guess code to run.",
    "Say it in the recipe.",
  ],
  "plan-assumption": [
    "A recipe alone does not say how much two models will differ.",
    "`gate --plan` without a pilot.",
    "Give --discordance, or a certified artifact as the pilot.",
  ],
  "plan-gates": [
    "No gate limits a drop, so there is nothing to plan.",
    "The recipe has no maxDrop.",
    "Give --limit 0.01, or add gates: {maxDrop: 0.01}.",
  ],
  "plan-limit": [
    "No number of labels shows a drop of that size.",
    "A limit of zero or below.",
    "A limit of a drop is above zero.",
  ],
  "plan-several": [
    "--plan is for one recipe or artifact at a time.",
    "Several were given.",
    "Plan them one after the other.",
  ],
  "power-cap": [
    "The board draws more than the power cap even when idle.",
    "A profile with too low a cap.",
    "Raise the cap in the target's profile.",
  ],
  recipe: [
    "The recipe says what no recipe can say, or lacks what it must say.",
    "A mistyped value; the caret shows where.",
    "docs/recipe.schema.json has every key; editors check against it.",
  ],
  "recipe-syntax": [
    "The recipe is not YAML.",
    "Indentation, tabs, or an unclosed quote; the caret shows where.",
    "Repair the line.",
  ],
  "recipe-without-rebuild": ["--recipe is for --rebuild.", "`verify` alone needs no recipe.", "Add --rebuild."],
  "too-large": [
    "Emulating the model needs more memory than there is.",
    "A huge input.",
    "Bind the model's input to a smaller shape.",
  ],
  "too-many-npus": [
    "The target has fewer NPUs than the recipe asks for.",
    "`npus` in the recipe.",
    "Ask for no more than the target has: `optimus-compile targets show NAME`.",
  ],
  "unbound-dimension": [
    "An input of the model has no fixed size, and the chip needs one.",
    "A dynamic axis, such as batch or length.",
    "Give the shape in the recipe: inputs: { NAME: { shape: [1, …] } }",
  ],
  "unknown-code": ["There is no error of that code.", "A mistyped code.", "docs/errors.md lists them all."],
  "unknown-command": ["There is no such command.", "A typing mistake.", "`optimus-compile --help` lists them."],
  "unknown-entry": ["The program has no entry of that name.", "A mistyped --entry.", "The message lists the entries."],
  "one-recipe": [
    "`bisect` needs both recipes or none.",
    "One was given.",
    "Give the two recipes in the order of the artifacts.",
  ],
  "bisect-ledger": [
    "`bisect` builds in between must not spend the looks of a release.",
    "A recipe with a ledger of its own.",
    "The message says what to give instead.",
  ],
  "unknown-figure": [
    "There is no figure of that name to look for.",
    "A typing mistake in --figure.",
    "The message names the one that was probably meant.",
  ],
  "unknown-gate": [
    "There is no gate of that name.",
    "A mistyped key: unknown gates are always errors, since nobody would check them.",
    "docs/gates.md lists them.",
  ],
  "unknown-input": [
    "The model has no input of that name.",
    "A mistyped name under `inputs`.",
    "`optimus-compile inspect MODEL` lists the inputs.",
  ],
  "unknown-key": [
    "There is no such key.",
    "A typing mistake; the caret shows where.",
    "docs/recipe.schema.json has every key; docs/passes.md every pass's options.",
  ],
  "unknown-metric": [
    "There is no metric of that name.",
    "A typing mistake.",
    "accuracy, cer, auc, f1, bitsPerCharacter, agreement, or the path of a module of your own.",
  ],
  "unknown-option": ["There is no such option.", "A typing mistake.", HELP],
  "unknown-pass": [
    "There is no pass of that name.",
    "A typing mistake in `passes`.",
    "`optimus-compile passes` lists them.",
  ],
  "unknown-preset": [
    "There is no preset of that name.",
    "A typing mistake in `passes`.",
    "`optimus-compile passes` lists them.",
  ],
  "unknown-profile": [
    "The target has no such profile.",
    "A typing mistake in `profile`.",
    "`optimus-compile targets show NAME` lists its profiles.",
  ],
  "unknown-reader": [
    "There is no data reader of that name.",
    "A typing mistake in `reader`.",
    "npz, jsonl, idx, images, text, or another file of src/data/readers.",
  ],
  "unknown-slice": [
    "No sample has that slice key.",
    "A typing mistake in `slices`, or data without slices.",
    "npz: arrays `slice.KEY`; jsonl: `slices: {KEY: …}`.",
  ],
  "unknown-target": [
    "There is no hardware description of that name.",
    "A typing mistake in `target`.",
    "`optimus-compile targets` lists them.",
  ],
  "unknown-value": [
    "`quantize.int16`, a training's loss or its list of weights names what the model does not have.",
    "A mistyped name.",
    "`optimus-compile inspect MODEL` lists them.",
  ],
  "risk-limit": [
    "A risk is not a share.",
    "--alpha, --system2-error or --system2-timeout is no number from 0 to less than 1, or --alpha is 0.",
    "Give shares: --alpha 0.02 is two in a hundred.",
  ],
  "unreadable-file": ["A file cannot be read.", "No permission, or a failing disk.", "Check the permissions."],
  "unsigned-with-key": [
    "--unsigned does not look at signatures, and a key was given.",
    "Two intentions at once.",
    "Leave out --unsigned to check the signatures.",
  ],
  waiver: [
    "What should be waived is not said completely.",
    "A missing --gate, --artifact, --until or --reason.",
    "The message has an example.",
  ],
  "waiver-key": [
    "It was not said who may waive a gate.",
    "--waivers without --waiver-key.",
    "Give --waiver-key PUBLIC.pem.",
  ],
  "waiver-unknown-gate": [
    "A waiver names a gate that does not exist.",
    "A typing mistake.",
    "docs/gates.md lists the gates.",
  ],
  "what-to-export": [
    "It was not said what to write.",
    "None of --onnx, --integer-onnx and --qdq, or more than one.",
    "Give one of them.",
  ],
  "wrong-input": [
    "An input of the integer model has another type or shape.",
    "Data of another preprocessing.",
    "`optimus-compile inspect` shows what the model takes.",
  ],
  ...data,
  ...goal,
};
