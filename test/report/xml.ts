/** A strict reader of the XML that the JUnit report is: throws where a document is not well-formed. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  readonly text: string;
}

const NAME = /[A-Za-z_][\w.-]*/y;
const VALID = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

export function parseXml(source: string): Element {
  if (!VALID.test(source)) throw new Error("a character that XML has not");
  const head = /^<\?xml version="1\.0" encoding="UTF-8"\?>\s*/.exec(source)?.[0] ?? "";
  const [root, end] = element(source, head.length);
  if (source.slice(end).trim() !== "") throw new Error("text after the root");
  return root;
}

function decode(text: string): string {
  if (/&(?!(?:amp|lt|gt|quot|apos|#\d+);)/.test(text) || text.includes("<")) throw new Error(`bare & or < in ${text}`);
  return text.replace(/&(#(\d+)|\w+);/g, (_, name: string, code?: string) =>
    code ? String.fromCodePoint(Number(code)) : ENTITIES[name],
  );
}

function nameAt(source: string, at: number): string {
  NAME.lastIndex = at;
  const found = NAME.exec(source);
  if (!found) throw new Error(`no name at ${at}`);
  return found[0];
}

function element(source: string, start: number): [Element, number] {
  if (source[start] !== "<") throw new Error(`no element at ${start}`);
  const name = nameAt(source, start + 1);
  let at = start + 1 + name.length;
  const attributes: Record<string, string> = {};
  const attribute = /\s+([A-Za-z_][\w.-]*)="([^"]*)"/y;
  for (;;) {
    attribute.lastIndex = at;
    const found = attribute.exec(source);
    if (!found) break;
    if (found[1] in attributes) throw new Error(`${found[1]} twice`);
    attributes[found[1]] = decode(found[2]);
    at = attribute.lastIndex;
  }
  if (source.startsWith("/>", at)) return [{ name, attributes, children: [], text: "" }, at + 2];
  if (source[at] !== ">") throw new Error(`the tag ${name} does not end`);
  at++;
  const children: Element[] = [];
  let text = "";
  while (!source.startsWith("</", at)) {
    const next = source.indexOf("<", at);
    if (next < 0) throw new Error(`${name} is not closed`);
    text += decode(source.slice(at, next));
    at = next;
    if (source.startsWith("</", at)) break;
    const [child, end] = element(source, at);
    children.push(child);
    at = end;
  }
  const close = `</${name}>`;
  if (!source.startsWith(close, at)) throw new Error(`${name} is closed by another`);
  return [{ name, attributes, children, text }, at + close.length];
}
