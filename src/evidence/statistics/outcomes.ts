/** What statistics need of a sample: both models' outcomes, and with which others it goes wrong together. */
export interface Outcomes {
  readonly group: string;
  readonly teacher: unknown;
  readonly compiled: unknown;
}
