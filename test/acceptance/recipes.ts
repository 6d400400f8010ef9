/** The recipes that ship, as they stand, against what they promise. */
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuildDocument } from "../../src/report/build-document.ts";
import { attempt, type Outcome } from "./check.ts";
import { complaint, optimus } from "./command.ts";

interface Bars {
  readonly drop: number;
  readonly samples: number;
  readonly seconds?: number;
  readonly rssBytes?: number;
}

/** Drops are fractions of 1. A recipe that is not here promises only to build and pass. */
const PROMISES: Readonly<Record<string, Bars>> = {
  "quickstart.yaml": { drop: 0.003, samples: 10_000, seconds: 120, rssBytes: 1.5e9 },
  "ocr-rec.yaml": { drop: 0.003, samples: 2000 },
  "text-direction.yaml": { drop: 0.005, samples: 2000 },
  "vad.yaml": { drop: 0.003, samples: 10_000 },
};

export async function* recipes(): AsyncIterable<Outcome> {
  const out = mkdtempSync(join(tmpdir(), "recipes-"));
  for (const file of readdirSync("recipes").filter((name) => name.endsWith(".yaml"))) {
    yield await attempt(file, () => build(file, out));
  }
}

async function build(file: string, out: string): Promise<Omit<Outcome, "name">> {
  const finished = await optimus("build", `recipes/${file}`, "--out", out, "--json", "--ci");
  if (finished.stdout === "" || finished.stdout.includes("optimus-compile/error@1")) {
    return { good: false, says: complaint(finished) };
  }
  const { verdict, accuracy, latency, placement, floatTensors, stages } = JSON.parse(finished.stdout) as BuildDocument;
  const {
    drop,
    samples,
    seconds = Number.POSITIVE_INFINITY,
    rssBytes = Number.POSITIVE_INFINITY,
  } = PROMISES[file] ?? {
    drop: Number.POSITIVE_INFINITY,
    samples: 0,
  };
  const rss = Math.max(...stages.map(({ peakRssBytes }) => peakRssBytes));
  const broken = [
    verdict !== "pass" && `the verdict is ${verdict}`,
    accuracy.drop > drop + 1e-12 && `the drop is above ${drop}`,
    accuracy.n < samples && `fewer than ${samples} samples`,
    finished.seconds > seconds && `more than ${seconds} s`,
    rss > rssBytes && `more than ${rssBytes} bytes`,
    placement.cpu > 0 && `${placement.cpu} nodes on the CPU`,
  ].filter((reason) => reason !== false);
  const figures = [
    `${accuracy.metric} ${accuracy.teacher.toFixed(4)} → ${accuracy.compiled.toFixed(4)} (n ${accuracy.n})`,
    `${latency.cycles} cycles, ${(100 * latency.efficiency).toFixed(0)} % of the floor`,
    `${finished.seconds.toFixed(0)} s, ${(rss / 1e6).toFixed(0)} MB`,
    `${floatTensors} float tensors`,
  ];
  return { good: broken.length === 0, says: [...broken, ...figures].join("; ") };
}
