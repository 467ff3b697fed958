/** What one run may use. Every run ends with a named outcome when it goes past one of them. */
export interface Limits {
  /** Milliseconds inside the script; waiting for the bridge does not count. Default 1,000. */
  cpuMs: number;
  /** Milliseconds from start to end, waits included. Default 300,000. */
  wallMs: number;
  /** Bytes of memory the script may hold. Default 64 MiB. */
  memoryBytes: number;
  /** `query` calls. Default 100. */
  queries: number;
  /** Rows that queries return, summed over the run. Default 50,000. */
  rowsRead: number;
  /** `execute` calls. Default 150. */
  writes: number;
  /** Rows written, summed over the run. Default 10,000. */
  rowsWritten: number;
  /** `sendEmail` calls. Default 10. */
  emails: number;
  /** Recipients (to, cc and bcc) of one mail. Default 50. */
  emailRecipients: number;
  /** Calls of the host's own bridge services. Default 1,000. */
  calls: number;
  /** Milliseconds one bridge call may take. Default 30,000. */
  bridgeCallMs: number;
  /** Milliseconds the run's transaction may stay open. Default 10,000. */
  transactionMs: number;
  /** Bytes of log kept with the execution; the oldest lines go first. Default 64 KiB. */
  logBytes: number;
  /** Bytes of the result as JSON. Default 256 KiB. */
  resultBytes: number;
  /** Bytes of the source as UTF-8. Default 100 KiB. */
  sourceBytes: number;
  /** How deep scripts may fire scripts. Default 8. */
  depth: number;
}

/** The limits that hold where neither the host, the tenant nor the script says otherwise. */
export const DEFAULT_LIMITS: Readonly<Limits> = Object.freeze({
  cpuMs: 1_000,
  wallMs: 300_000,
  memoryBytes: 64 * 1024 * 1024,
  queries: 100,
  rowsRead: 50_000,
  writes: 150,
  rowsWritten: 10_000,
  emails: 10,
  emailRecipients: 50,
  calls: 1_000,
  bridgeCallMs: 30_000,
  transactionMs: 10_000,
  logBytes: 64 * 1024,
  resultBytes: 256 * 1024,
  sourceBytes: 100 * 1024,
  depth: 8,
});
