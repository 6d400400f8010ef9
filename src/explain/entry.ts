/** What `explain CODE` says of an error: what it means, what usually leads to it, and what helps. */
export type Entry = readonly [meaning: string, cause: string, remedy: string];
/** By the code's second part. */
export type Entries = Readonly<Record<string, Entry>>;
