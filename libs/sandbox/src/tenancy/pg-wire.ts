/** The part of a `pg` client that is not in its types: its socket. Absent in a native client. */
interface Wire {
  readonly connection?: {
    readonly stream?: { cork?(): void; uncork?(): void; destroy?(): void; readonly bytesRead?: number };
  };
}

/** Bytes that the other end has sent; with TLS, of what it carries. */
export function bytesHeard(client: object): number {
  return (client as Wire).connection?.stream?.bytesRead ?? 0;
}

/** Closes the client's socket without a word to the other end; what is under way is rejected. */
export function cutOff(client: object): void {
  (client as Wire).connection?.stream?.destroy?.();
}

/**
 * Holds back what is written to the client's socket until the returned function is called. A write to the socket is the
 * dearest part of a statement on our side (40 µs of a quiet machine's, several times that of a busy one's), and pg makes
 * one for each.
 */
export function holdWrites(client: object): () => void {
  const stream = (client as Wire).connection?.stream;
  if (!stream?.cork || !stream.uncork) return () => undefined;
  stream.cork();
  return () => stream.uncork?.();
}
