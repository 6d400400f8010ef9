/** How anything gets into the page: as text. Names come out of files that strangers made. */
import { printable } from "../escape.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** HTML that a section made, as against text that still must be escaped. */
export interface Html {
  readonly html: string;
}

type Content = string | number | Html | undefined | readonly Content[];

const NAME_LENGTH = 160;

/** Text for element content and quoted attributes: marks that would be obeyed are spelled out, what is endless is cut. */
export function escaped(text: string, limit = NAME_LENGTH): string {
  return printable(text, limit).replace(/[&<>"']/g, (mark) => ENTITIES[mark]);
}

/** The only way to write markup: what stands in the holes is escaped, unless it was made by this very tag. */
export function html(parts: TemplateStringsArray, ...holes: readonly Content[]): Html {
  let text = parts[0];
  for (const [at, hole] of holes.entries()) text += markup(hole) + parts[at + 1];
  return { html: text };
}

function markup(content: Content): string {
  if (content === undefined) return "";
  if (typeof content === "number") return String(content);
  if (typeof content === "string") return escaped(content, 500);
  return "html" in content ? content.html : content.map(markup).join("");
}

/** JSON that stands in a script element: nothing in it can end the element. */
export function inertJson(value: unknown): Html {
  const text = JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return { html: text };
}

/** A name of the model, cut in the middle so that both ends can be told; the whole of it in the title as far as it is sane. */
export function shortName(name: string, limit = 48): string {
  const shown = printable(name, 400);
  if (shown.length <= limit) return shown;
  const head = Math.ceil((limit - 1) * 0.6);
  return `${shown.slice(0, head)}…${shown.slice(shown.length - (limit - 1 - head))}`;
}
