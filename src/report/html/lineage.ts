import { formatCount } from "../table.ts";
import { percent } from "./figures.ts";
import type { LineageModel, Named, ReportModel } from "./model.ts";
import { type Html, html, shortName } from "./text.ts";

/** Who says what about which bytes, and what went in, in plain words. */
export function lineageSection({ lineage, trust, digest, artifact }: ReportModel): Html {
  const { compiler, recipe, teacher, target, data, look, checked, licenses, numerics } = lineage;
  return html`<p>${trust.says}</p>
<dl class="facts"><dt>This artifact</dt><dd>${shortName(artifact, 80)} ${code(digest)}</dd>
<dt>Teacher</dt><dd>${named(teacher)}</dd><dt>Recipe</dt><dd>${named(recipe)}</dd><dt>Target</dt><dd>${named(target)}</dd>
${data.map((split) => html`<dt>Data: ${shortName(split.name, 30)}</dt><dd>${formatCount(split.samples)} samples, which ${split.use === "" ? "the build saw" : split.use} ${code(split.digest)}</dd>`)}
<dt>Compiler</dt><dd>${compiler}</dd>${checked === undefined ? undefined : html`<dt>Program</dt><dd>${checked}</dd>`}
<dt>Licences</dt><dd>teacher: ${shortName(licenses.teacher, 80)}; data: ${shortName(licenses.data, 80)}</dd>${numerics === undefined ? undefined : html`<dt>Numerics</dt><dd>${shortName(numerics, 120)}</dd>`}
${look && html`<dt>Looks</dt><dd>This was look ${look.look} at the certification data; it may let a bad model pass ${percent(look.alpha, 2)} of the time at most. Each look leaves the next one less.</dd>`}
${signers(lineage)}</dl>
<p class="note">Not checked here: whether the samples are like those that the model will meet, and whether the emulated chip is the real one. <code>optimus-compile verify --rebuild</code> makes the program again from the record.</p>
${passesOf(lineage)}`;
}

const code = (text: string): Html => html`<code>${shortName(text, 90)}</code>`;
const named = ({ name, digest }: Named): Html => html`${shortName(name, 80)} ${code(digest)}`;

function signers({ signers }: LineageModel): Html {
  if (signers.length === 0) return html`<dt>Signatures</dt><dd>none</dd>`;
  return html`<dt>Signatures</dt><dd>${signers.slice(0, 20).map(({ who, key, about }) => html`<div>${shortName(who, 40)} says ${shortName(about, 80)} ${code(key)}</div>`)}</dd>`;
}

function passesOf({ passes }: LineageModel): Html {
  const changed = passes.filter(({ before, after }) => before !== after);
  return html`<details><summary>Passes: ${passes.length}; ${changed.length} changed the number of nodes</summary><div class="scroll" tabindex="0" role="region" aria-label="Passes"><table><thead><tr><th scope="col">pass</th><th scope="col" class="n">nodes before</th><th scope="col" class="n">after</th></tr></thead><tbody>${changed.slice(0, 300).map(({ name, before, after }) => html`<tr><th scope="row">${shortName(name, 60)}</th><td class="n">${before}</td><td class="n">${after}</td></tr>`)}</tbody></table></div></details>`;
}
