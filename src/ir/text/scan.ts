import { CompileError } from "../../error.ts";

/** A bare word: names, numbers and keywords look alike until somebody asks. A colon only counts inside. */
const WORD = /[A-Za-z0-9_./+-]+(?::[A-Za-z0-9_./+-]+)*/y;
const STRING = /"(?:[^"\\\n]|\\.)*"/y;
const BLANK = /[ \t\r]+/y;
const ORIGIN = /#[ \t]*origin:[ \t]*/y;
const NUMBER = /^[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf|nan)$/i;

export interface Token {
  readonly kind: "word" | "string" | "mark" | "line" | "origin" | "end";
  readonly text: string;
  readonly line: number;
}

/** Words that may stand without quotes. `+` is for numbers only. */
export function isBareName(name: string): boolean {
  return /^[A-Za-z0-9_./-]+(?::[A-Za-z0-9_./-]+)*$/.test(name) && name !== "_" && !name.startsWith("->");
}

export function isNumber(text: string): boolean {
  return NUMBER.test(text);
}

/** Reads the tokens of one text, one ahead. Line ends are tokens; comments are not, but for `# origin:`. */
export class Scanner {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #next: Token | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  peek(): Token {
    this.#next ??= this.#read();
    return this.#next;
  }

  take(): Token {
    const token = this.peek();
    this.#next = undefined;
    return token;
  }

  /** Takes the mark (or word) if it is next. */
  skip(text: string): boolean {
    const token = this.peek();
    if (token.text !== text || (token.kind !== "mark" && token.kind !== "word")) return false;
    this.take();
    return true;
  }

  expect(text: string): void {
    if (!this.skip(text)) this.fail(`expected "${text}", found ${describe(this.peek())}`);
  }

  /** A name: a bare word or a string in quotes. */
  name(what: string): string {
    const token = this.take();
    if (token.kind === "string" || token.kind === "word") return token.text;
    return this.fail(`expected ${what}, found ${describe(token)}`, token);
  }

  skipLines(): void {
    while (this.peek().kind === "line") this.take();
  }

  fail(message: string, token: Token = this.peek()): never {
    throw new CompileError("model/graph-text", message, {
      where: `line ${token.line}`,
      remedy: "the notation is described in src/ir/text.ts",
    });
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #read(): Token {
    this.#match(BLANK);
    const line = this.#line;
    if (this.#at >= this.#text.length) return { kind: "end", text: "", line };
    const character = this.#text[this.#at];
    if (character === "\n") {
      this.#at++;
      this.#line++;
      return { kind: "line", text: "\n", line };
    }
    if (character === "#") {
      if (this.#match(ORIGIN) !== undefined) return { kind: "origin", text: "# origin:", line };
      const end = this.#text.indexOf("\n", this.#at);
      this.#at = end < 0 ? this.#text.length : end;
      return this.#read();
    }
    if (character === '"') {
      const quoted = this.#match(STRING);
      if (quoted === undefined) return this.fail("a string does not end", { kind: "mark", text: '"', line });
      return { kind: "string", text: this.#unquote(quoted, line), line };
    }
    if (this.#text.startsWith("->", this.#at)) {
      this.#at += 2;
      return { kind: "mark", text: "->", line };
    }
    const word = this.#match(WORD);
    if (word !== undefined) return { kind: "word", text: word, line };
    this.#at++;
    return { kind: "mark", text: character, line };
  }

  #unquote(quoted: string, line: number): string {
    try {
      return JSON.parse(quoted) as string;
    } catch {
      return this.fail(`the string ${quoted} is not written as JSON writes it`, { kind: "string", text: quoted, line });
    }
  }
}

function describe(token: Token): string {
  if (token.kind === "end") return "the end";
  return token.kind === "line" ? "the end of the line" : `"${token.text}"`;
}
