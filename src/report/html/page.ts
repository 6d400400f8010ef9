/** The report as one file: no network, no inline handlers, and a policy that would forbid both. */
import { createHash } from "node:crypto";
import { formatBytes } from "../table.ts";
import { accuracySection } from "./accuracy.ts";
import { chipSection } from "./chip.ts";
import { confidenceSection } from "./confidence.ts";
import { metricText, percent, rangeText, significant, sizeText, timeText } from "./figures.ts";
import { layersSection } from "./layers.ts";
import { lineageSection } from "./lineage.ts";
import { isAbsent, type ReportModel } from "./model.ts";
import { paretoSection } from "./pareto.ts";
import { plansSection } from "./plans.ts";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";
import { type Html, html, shortName } from "./text.ts";
import { VERDICTS, verdictSection } from "./verdict.ts";

interface Section {
  readonly id: string;
  readonly title: string;
  readonly render: (model: ReportModel) => Html;
}

/** From top to bottom. */
const SECTIONS: readonly Section[] = [
  { id: "verdict", title: "Verdict", render: verdictSection },
  { id: "next", title: "What to try next", render: adviceSection },
  { id: "accuracy", title: "Accuracy", render: accuracySection },
  { id: "pareto", title: "Accuracy and latency", render: comparison },
  { id: "layers", title: "Layers", render: layersSection },
  { id: "chip", title: "On the chip", render: chipSection },
  { id: "confidence", title: "Confidence", render: confidenceSection },
  { id: "lineage", title: "Lineage and certificate", render: lineageSection },
];

function comparison(model: ReportModel): Html {
  return html`${paretoSection(model)}${plansSection(model)}`;
}

const hashOf = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const POLICY = [
  "default-src 'none'",
  `style-src ${hashOf(STYLE)}`,
  `script-src ${hashOf(SCRIPT)}`,
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

/** The same model gives the same bytes. */
export function renderReport(model: ReportModel): string {
  const title = shortName(model.name, 80);
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${{ html: POLICY }}"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer"><title>${title}: compilation report</title><link rel="icon" href="data:,"><style>${{ html: STYLE }}</style></head>
<body><a class="skip" href="#main">Skip to the content</a><div class="shell">${header(model, title)}
<nav aria-label="Sections"><ul>${SECTIONS.map(({ id, title: name }) => html`<li><a href="#${id}">${name}</a></li>`)}</ul></nav>
<main id="main">${SECTIONS.map(({ id, title: name, render }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${name}</h2>${render(model)}</section>`)}</main></div>
<script>${{ html: SCRIPT }}</script></body></html>
`;
  return page.html;
}

function header(model: ReportModel, title: string): Html {
  const { mark, word } = VERDICTS[model.verdict ?? "none"];
  return html`<header><div class="top"><p>Compilation report</p><button type="button" id="theme" hidden>Dark</button></div>
<h1>${title}</h1><p class="lead"><span class="badge ${model.verdict ?? "none"}">${mark} ${word}</span></p><p class="lead">${summary(model)}</p><p class="note">${model.trust.says}</p>${figures(model)}</header>`;
}

function summary({ accuracy, cost, target }: ReportModel): string {
  const where = `${target.name} (${target.profile})`;
  if (accuracy === undefined || cost === undefined) return `An artifact for ${where} that was not measured yet.`;
  const { metric, drop, compiled, interval } = accuracy;
  const change =
    drop === 0
      ? "is as good as its teacher"
      : `is ${sizeText(metric, drop)} ${drop > 0 ? "worse" : "better"} than its teacher in ${metric}`;
  const within = interval ? ` (95 %: ${rangeText(metric, interval.low, interval.high)})` : "";
  return `The compiled model ${change}${within}, reaches ${metricText(metric, compiled)}, and answers in ${timeText(cost.ms)} on ${where}.`;
}

function figures({ accuracy, cost, layers }: ReportModel): Html {
  if (accuracy === undefined || cost === undefined) return html``;
  const bound = isAbsent(layers) ? undefined : layers.limits[0];
  const cards: [string, string, string][] = [
    [
      accuracy.metric,
      metricText(accuracy.metric, accuracy.compiled),
      `teacher ${metricText(accuracy.metric, accuracy.teacher)}`,
    ],
    ["same answer", percent(accuracy.agreement, 2), "as the teacher"],
    [
      "latency",
      timeText(cost.ms),
      cost.efficiency === undefined ? `${cost.cycles} cycles` : `${percent(cost.efficiency, 0)} of the hardware floor`,
    ],
    [
      "most time goes to",
      bound?.limit ?? "–",
      bound && !isAbsent(layers) ? `${percent(bound.cycles / layers.cycles, 0)} of the run` : "not known",
    ],
    ["SRAM peak", formatBytes(cost.sramPeakBytes), `weights ${formatBytes(cost.weightBytes)}`],
    ...(cost.mJ
      ? [
          [
            "energy",
            `${significant(cost.mJ.mid, 3)} mJ`,
            `estimate, ${significant(cost.mJ.low, 2)} to ${significant(cost.mJ.high, 2)}`,
          ] as [string, string, string],
        ]
      : []),
  ];
  return html`<dl class="figures">${cards.map(([name, value, note]) => html`<div><dt>${name}</dt><dd>${value}<small>${note}</small></dd></div>`)}</dl>`;
}

function adviceSection({ advice }: ReportModel): Html {
  if (advice.length === 0) return html`<p>The figures give no reason to change anything.</p>`;
  return html`<ol class="advice">${advice.map(({ title, says }) => html`<li><strong>${title}</strong><p class="note">${says}</p></li>`)}</ol>`;
}
