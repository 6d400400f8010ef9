/** Numbers by key, the least key first; of equal keys the smaller number. Keys must not change while a number waits. */
export class Queue {
  private readonly keys: ArrayLike<number>;
  private readonly heap: number[] = [];

  constructor(keys: ArrayLike<number>) {
    this.keys = keys;
  }

  get length(): number {
    return this.heap.length;
  }

  /** The key that comes next; infinity where none does. */
  get next(): number {
    return this.heap.length > 0 ? this.keys[this.heap[0]] : Number.POSITIVE_INFINITY;
  }

  private less(a: number, b: number): boolean {
    return this.keys[a] < this.keys[b] || (this.keys[a] === this.keys[b] && a < b);
  }

  push(value: number): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(value);
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.less(value, heap[up])) break;
      heap[at] = heap[up];
      at = up;
    }
    heap[at] = value;
  }

  /** Takes the number that comes next; there must be one. */
  pop(): number {
    const { heap } = this;
    const top = heap[0];
    const value = heap.pop() as number;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && this.less(heap[down + 1], heap[down])) down++;
      if (!this.less(heap[down], value)) break;
      heap[at] = heap[down];
      at = down;
    }
    heap[at] = value;
    return top;
  }
}
