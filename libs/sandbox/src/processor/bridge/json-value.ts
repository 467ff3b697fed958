/**
 * A host value as JSON: what crosses to a script. Dates become ISO strings, binary becomes base64, bigint becomes a
 * string; functions, symbols and cycles do not cross (a cycle throws `TypeError`).
 */
export function jsonValue(value: unknown): unknown {
  if (value === undefined || value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  const text = JSON.stringify(value, replace) as string | undefined;
  return text === undefined ? undefined : (JSON.parse(text) as unknown);
}

/** `this` is the object that holds the value, before its own `toJSON` was asked. */
function replace(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  const own = (this as Record<string, unknown>)[key];
  return own instanceof Uint8Array ? Buffer.from(own).toString('base64') : value;
}
