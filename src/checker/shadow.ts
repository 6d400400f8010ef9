/**
 * Memories in which every byte knows who wrote it, who has read it since, and what kind of codes it holds. Bytes of one fate are
 * one segment; segments lie in pages, so that splitting one stays cheap.
 */

/** What bytes hold. */
export type Content =
  /** A copy of the weights section: byte `address` is its byte `address + delta`. */
  | { readonly kind: "weights"; readonly delta: number }
  /** Elements of `bytes` bytes each within [low, high], signed or unsigned as `dtype` says. */
  | { readonly kind: "codes"; readonly dtype: string; readonly low: number; readonly high: number };

/** The fate of a segment. Shared by all segments that have it: never changed but for the marks of the walk. */
export interface Fate {
  /** The command that wrote it, −1 the host. */
  readonly writer: number;
  readonly content: Content;
  /** By queue, the last reader since, −1 for none; absent: nobody. */
  readonly readers?: Int32Array;
  /** The access that met it last. */
  mark: number;
  /** What it has become by that access. */
  next: Fate | undefined;
}

export function fate(writer: number, content: Content, readers?: Int32Array): Fate {
  return readers === undefined
    ? { writer, content, mark: -1, next: undefined }
    : { writer, content, readers, mark: -1, next: undefined };
}

const PAGE = 1 << 12;

interface Page {
  /** Where segments begin, ascending; the first at the page's own begin. */
  readonly starts: number[];
  /** Undefined: never written. */
  readonly fates: (Fate | undefined)[];
}

/** Where a segment begins that holds `at`. */
function find(starts: readonly number[], at: number): number {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

export class Shadow {
  private readonly pages = new Map<number, Page>();

  /** Replaces the fate of every segment within [low, high): `change` gets the old one and where the segment lies. */
  update(low: number, high: number, change: Change): void {
    for (let at = low; at < high; ) {
      const number = Math.floor(at / PAGE);
      const end = Math.min(high, (number + 1) * PAGE);
      let page = this.pages.get(number);
      if (page === undefined) {
        page = { starts: [number * PAGE], fates: [undefined] };
        this.pages.set(number, page);
      }
      updatePage(page, at, end, (number + 1) * PAGE, change);
      at = end;
    }
  }
}

type Change = (old: Fate | undefined, low: number, high: number) => Fate | undefined;

function updatePage(page: Page, low: number, high: number, pageEnd: number, change: Change): void {
  const { starts, fates } = page;
  const first = find(starts, low);
  const end = first + 1 < starts.length ? starts[first + 1] : pageEnd;
  if (high > end) {
    replace(page, first, low, high, pageEnd, change);
    return;
  }
  // Mostly a run lies within one segment, and often it is the segment.
  const old = fates[first];
  const made = change(old, low, high);
  if (made === old) return;
  const [begins, ends] = [starts[first] === low, end === high];
  if (begins && first > 0 && fates[first - 1] === made) {
    // It joins the segment before.
    if (ends) replace(page, first, low, high, pageEnd, () => made);
    else starts[first] = high;
  } else if (ends && end < pageEnd && fates[first + 1] === made) {
    if (begins) replace(page, first, low, high, pageEnd, () => made);
    else starts[first + 1] = low;
  } else if (begins) {
    fates[first] = made;
    if (!ends) insert(page, first + 1, high, old);
  } else {
    insert(page, first + 1, low, made);
    if (!ends) insert(page, first + 2, high, old);
  }
}

function insert({ starts, fates }: Page, at: number, start: number, one: Fate | undefined): void {
  starts.splice(at, 0, start);
  fates.splice(at, 0, one);
}

/** Puts new segments in the place of those within [low, high), joined with neighbours of the same fate. */
function replace({ starts, fates }: Page, first: number, low: number, high: number, pageEnd: number, change: Change) {
  const begins: number[] = [];
  const found: (Fate | undefined)[] = [];
  const push = (start: number, one: Fate | undefined) => {
    if (begins.length > 0 && found[found.length - 1] === one) return;
    begins.push(start);
    found.push(one);
  };
  const from = starts[first] < low || first === 0 ? first : first - 1;
  if (starts[from] < low) push(starts[from], fates[from]);
  let at = first;
  for (; at < starts.length && starts[at] < high; at++) {
    const begin = Math.max(low, starts[at]);
    const end = Math.min(high, at + 1 < starts.length ? starts[at + 1] : pageEnd);
    push(begin, change(fates[at], begin, end));
  }
  const rest = at < starts.length ? starts[at] : pageEnd;
  if (high < rest) push(high, fates[at - 1]);
  else if (at < starts.length) {
    push(starts[at], fates[at]);
    at++;
  }
  if (begins.length === at - from) {
    for (let i = 0; i < begins.length; i++) {
      starts[from + i] = begins[i];
      fates[from + i] = found[i];
    }
    return;
  }
  starts.splice(from, at - from, ...begins);
  fates.splice(from, at - from, ...found);
}
