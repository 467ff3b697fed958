import { createHash } from 'node:crypto';
import type { Change } from '../protocol/change.js';
import type { ScriptDefinition } from './script.js';

/** Longer keys are stored as their digest: PostgreSQL's indexes take some 2,700 bytes. */
const LONGEST_KEY = 500;

/** What an action's gate goes by: the same text for the same values; `undefined` for a script without a gate. */
export function gateKeyOf({ dedupe, debounce, throttle }: ScriptDefinition, change: Change): string | undefined {
  if (throttle) return '';
  const gate = dedupe ?? debounce;
  if (!gate) return undefined;
  const image = change.operation === 'delete' ? change.prevRecord : change.record;
  const key = JSON.stringify(gate.key ? gate.key.map((name) => valueAt(image, name)) : [change.recordId]);
  return key.length <= LONGEST_KEY ? key : createHash('sha256').update(key).digest('base64url');
}

/** A field of a record; of an embedded one, `address.city`. */
function valueAt(record: Readonly<Record<string, unknown>>, name: string): unknown {
  let value: unknown = record;
  for (const part of name.split('.')) value = (value as Record<string, unknown> | null | undefined)?.[part];
  return value ?? null;
}
