/**
 * Negative controls on real builds of the quick start: what is wrong must be caught, and what is right must pass. One JSON line
 * each: `control`, `caught`, `how`. `--samples`: of the certification (3,000).
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { CertifyDocument } from "../../src/certify.ts";
import { loadRecipe } from "../../src/recipe.ts";
import type { BuildDocument } from "../../src/report/build-document.ts";
import { buildWith, changeIdx, scaledLayer } from "../certify/broken.ts";
import { type AcceptanceOptions, attempt, type Outcome } from "./check.ts";
import { complaint, type Finished, optimus, root } from "./command.ts";

const RECIPE = "recipes/quickstart.yaml";
const DATA = join(root, "fixtures/fashion-mnist");
/** Wider than the recipe's, since fewer samples show less: what these catch, narrower ones do. */
const GATES = ["gates.maxDrop=0.02", "gates.minMetric=0.8"];
/** Bytes before the first image, and before the first label. */
const [IMAGES, LABELS] = [16, 8];
const PIXELS = 28 * 28;

const folder = mkdtempSync(join(tmpdir(), "controls-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
const train = join(DATA, "train-2048-images-idx3-ubyte.gz");

export async function* controls({ samples = 3000 }: AcceptanceOptions): AsyncIterable<Outcome> {
  const set = [`data.certification.limit=${samples}`, ...GATES];
  const sound = at("sound/quickstart.dopt");

  yield await control("none: the unbroken build", async () => {
    const finished = await run("build", ["--out", at("sound"), "--json", "--ci"], set);
    return { caught: finished.code !== 0, how: gatesOf(finished) };
  });

  yield await control("permuted labels", async () => {
    const labels = changeIdx(join(DATA, "t10k-labels-idx1-ubyte.gz"), at("labels.gz"), LABELS, (bytes) => {
      // Each sample gets the label of another; the shares of the classes stay.
      const order = [...bytes.keys()].sort((a, b) => ((a * 7919) % 10_007) - ((b * 7919) % 10_007));
      bytes.set(order.map((from) => bytes[from]));
    });
    copyFileSync(sound, at("permuted.dopt"));
    return judged(
      await run("certify", [at("permuted.dopt"), "--json"], [...set, `data.certification.labels=${labels}`]),
    );
  });

  yield await control("leaked calibration data: one certification sample is in the calibration split", async () => {
    const seen = imagesOf(join(DATA, "t10k-images-idx3-ubyte.gz")).subarray(7 * PIXELS, 8 * PIXELS);
    const leaked = changeIdx(train, at("leaked.gz"), IMAGES, (bytes) => bytes.set(seen, 5 * PIXELS));
    const finished = await run("build", ["--out", at("leaked"), "--json", "--ci"], [...set, calibration(leaked)]);
    const refused = finished.code === 2 && `${finished.stdout}${finished.stderr}`.includes("usage/leak");
    return { caught: refused, how: refused ? "exit 2, usage/leak" : gatesOf(finished) };
  });

  yield await control("calibration data of another distribution: a sixteenth as bright", async () => {
    const dark = changeIdx(train, at("dark.gz"), IMAGES, (bytes) => {
      for (let byte = 0; byte < bytes.length; byte++) bytes[byte] >>= 4;
    });
    return judged(await run("build", ["--out", at("dark"), "--json", "--ci"], [...set, calibration(dark)]));
  });

  for (const power of [2, -2]) {
    yield await control(`a broken scale: the middle layer's weights × ${2 ** power}`, async () => {
      const recipe = { ...loadRecipe(join(root, RECIPE), { set }), out: at(`scale${power}`) };
      const path = await buildWith(recipe, (graph) => scaledLayer(graph, power));
      return judged(await run("certify", [path, "--json"], set));
    });
  }
}

const imagesOf = (path: string) => gunzipSync(readFileSync(path)).subarray(IMAGES);
const calibration = (images: string) => `data.calibration.images=${images}`;

interface Found {
  readonly caught: boolean;
  readonly how: string;
}

/** The first one has nothing to catch. */
function control(name: string, work: () => Promise<Found>): Promise<Outcome> {
  return attempt(name, async () => {
    const { caught, how } = await work();
    const good = caught !== name.startsWith("none");
    return { good, says: name, figures: { control: name, caught, how } };
  });
}

function run(command: "build" | "certify", args: readonly string[], set: readonly string[]): Promise<Finished> {
  const recipe = command === "build" ? [RECIPE] : ["--recipe", RECIPE];
  return optimus(command, ...recipe, ...args, ...set.flatMap((each) => ["--set", each]));
}

/** Only a gate that failed counts: too little evidence would be chance. */
const judged = (finished: Finished): Found => ({ caught: finished.code === 1, how: gatesOf(finished) });

function gatesOf(finished: Finished): string {
  if (finished.stdout === "") return complaint(finished);
  const document = JSON.parse(finished.stdout) as Partial<Pick<CertifyDocument, "gates" | "verdict">> &
    Partial<Pick<BuildDocument, "accuracy">>;
  if (document.accuracy && !document.gates) {
    const { teacher, compiled } = document.accuracy;
    return `exit ${finished.code}: verdict ${document.verdict}, teacher ${teacher}, compiled ${compiled}`;
  }
  if (!document.gates) return complaint(finished);
  return `exit ${finished.code}: ${document.gates.map(({ gate, verdict, reason }) => `${gate} ${verdict} (${reason})`).join("; ")}`;
}
