import { formatBytes, formatCount } from "../table.ts";
import { percent, timeText } from "./figures.ts";
import { type ChipModel, isAbsent, type ReportModel, type SramMap } from "./model.ts";
import { type Html, html, inertJson, shortName } from "./text.ts";

const ROW = 26;
/** Units of height of a map of SRAM. */
const MAP = 200;

/** Who worked when, and under it, on the same axis, what lay where in SRAM. */
export function chipSection({ chip, target }: ReportModel): Html {
  if (isAbsent(chip)) return html`<p>${chip.absent}</p>`;
  const { cycles, clockGHz, tracks, busy } = chip;
  const use = tracks.map((track, at) => `${track} ${percent(busy[at] / cycles, 0)}`).join(", ");
  return html`<p>One inference on ${target.name} (${target.profile}) takes ${formatCount(cycles)} cycles, ${timeText(cycles / (clockGHz * 1e6))} at ${clockGHz} GHz. At work: ${use}. Strong colour is work that the run waits for; pale work is hidden behind it.</p>
<div class="chip"><div class="tools" id="tools" hidden>${BUTTONS}</div>
<div class="lanes"><ol>${tracks.map((track) => html`<li>${track}</li>`)}</ol><div class="plot" id="plot" tabindex="0" role="group" aria-roledescription="timeline" aria-label="Timeline of the chip, ${tracks.length} tracks, ${formatCount(chip.commands)} commands" aria-describedby="help">${picture(chip)}</div></div>
${chip.sram.map((map) => sramRow(map, cycles, chip.sram.length))}
<div class="ends" id="ends" aria-hidden="true"><span>0</span><span></span><span>${timeText(cycles / (clockGHz * 1e6))}</span></div>
<p class="readout" id="readout" aria-live="polite">${chip.spans.length < chip.commands ? `${formatCount(chip.commands)} commands, neighbours drawn as one; the trace has each.` : `${formatCount(chip.commands)} commands that take time.`}</p></div>
<p class="note" id="help" hidden>Drag to pan; Ctrl and wheel, or two fingers, to zoom. With the keyboard: ← → pan, + − zoom, Home shows all, ↑ ↓ choose a track, [ and ] step through its commands.</p>
${chip.trace === undefined ? html`<p class="note">The trace is too large for this page: <code>optimus-compile emulate ARTIFACT --trace trace.json</code> writes it.</p>` : html`<p class="note"><a download="trace.json.gz" href="data:application/gzip;base64,${{ html: chip.trace }}">Download the trace</a> and open it in Perfetto (ui.perfetto.dev, or your own copy of it).</p>`}
${chip.sram.map((map) => largest(map, cycles, chip))}
<script type="application/json" id="run">${inertJson({ cycles, ghz: clockGHz, tracks: tracks.map((name) => shortName(name, 40)), layers: chip.layers.map((name) => shortName(name, 80)), spans: chip.spans })}</script>`;
}

const BUTTONS = html`<button type="button" data-act="+" aria-label="Zoom in">+</button><button type="button" data-act="-" aria-label="Zoom out">−</button><button type="button" data-act="ArrowLeft" aria-label="Earlier">←</button><button type="button" data-act="ArrowRight" aria-label="Later">→</button><button type="button" data-act="Home">Whole run</button>`;

/** All spans of a track and kind are one path: a browser draws thousands of rectangles so without an element for each. */
function picture({ spans, tracks, cycles }: ChipModel): Html {
  const paths = { 0: "", 1: "" };
  for (const [track, start, length, , critical] of spans) {
    const [x, width] = [Math.round(start), Math.max(1, Math.round(length))];
    paths[critical] += `M${x} ${track * ROW + 5}h${width}v16h-${width}z`;
  }
  const height = tracks.length * ROW;
  return html`<svg data-cycles="${cycles}" data-height="${height}" viewBox="0 0 ${cycles} ${height}" height="${height}" preserveAspectRatio="none" aria-hidden="true"><path class="hidden-work" d="${{ html: paths[0] }}"/><path class="waited" d="${{ html: paths[1] }}"/></svg>`;
}

function sramRow({ npu, buffers, peakBytes, bytes }: SramMap, cycles: number, npus: number): Html {
  const y = (address: number) => Math.round((10 * MAP * address) / peakBytes) / 10;
  const paths = ["", "", "", ""];
  for (const [at, { address, bytes: size, start, end }] of buffers.entries()) {
    const [x, width] = [Math.round(start), Math.max(1, Math.round(end - start))];
    const [top, height] = [y(address), Math.max(0.4, y(address + size) - y(address))];
    paths[at % 4] += `M${x} ${top}h${width}v${Math.round(height * 10) / 10}h-${width}z`;
  }
  const says = `SRAM${npus > 1 ? ` of NPU ${npu}` : ""} over the run: ${formatBytes(peakBytes)} in use at the peak, of ${formatBytes(bytes)}, in ${buffers.length} buffers`;
  return html`<div class="lanes"><ol><li>SRAM${npus > 1 ? ` ${npu}` : ""}</li><li>to ${formatBytes(peakBytes)}</li></ol><svg class="map" data-cycles="${cycles}" data-height="${MAP}" width="100%" height="${npus > 2 ? 90 : 170}" viewBox="0 0 ${cycles} ${MAP}" preserveAspectRatio="none" role="img" aria-label="${says}">${paths.map((path, at) => html`<path class="b${at}" d="${{ html: path }}"/>`)}</svg></div>`;
}

function largest(
  { npu, buffers, bytes, peakBytes, left }: SramMap,
  cycles: number,
  { clockGHz, sram }: ChipModel,
): Html {
  const top = [...buffers].sort((a, b) => b.bytes - a.bytes).slice(0, 10);
  const time = (at: number) => timeText(at / (clockGHz * 1e6));
  return html`<details><summary>What is largest in SRAM${sram.length > 1 ? ` of NPU ${npu}` : ""}</summary><div class="scroll" tabindex="0" role="region" aria-label="Largest buffers"><table><caption>${formatBytes(peakBytes)} of ${formatBytes(bytes)} in use at the peak; address upside down: 0 is at the top.${left > 0 ? ` The ${formatCount(left)} smallest of ${formatCount(buffers.length + left)} buffers are not drawn.` : ""}</caption><thead><tr><th scope="col">buffer</th><th scope="col" class="n">size</th><th scope="col" class="n">from</th><th scope="col" class="n">until</th><th scope="col" class="n">of the run</th></tr></thead><tbody>${top.map(
    (buffer) =>
      html`<tr><th scope="row">${shortName(buffer.name, 44)}</th><td class="n">${formatBytes(buffer.bytes)}</td><td class="n">${time(buffer.start)}</td><td class="n">${time(buffer.end)}</td><td class="n">${percent((buffer.end - buffer.start) / cycles, 0)}</td></tr>`,
  )}</tbody></table></div></details>`;
}
