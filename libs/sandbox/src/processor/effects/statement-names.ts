import { createHash } from 'node:crypto';
import type { SqlStatement } from '../../tenancy/tenancy.js';

/**
 * Gives statements of a script's making a name once their text was seen before, so that the server keeps them parsed
 * (2.5 times less of its CPU). At most `capacity` names an owner: a script that never repeats itself must not fill the server.
 */
export class StatementNames {
  private readonly names = new Map<string, string | undefined>();
  private named = 0;

  constructor(private readonly capacity = 200) {}

  /** The statement, with a name where it has earned one. */
  statement(text: string, values: readonly unknown[]): SqlStatement {
    const name = this.nameOf(text);
    return name === undefined ? { text, values } : { text, values, name };
  }

  private nameOf(text: string): string | undefined {
    const known = this.names.get(text);
    if (known !== undefined) return known;
    if (!this.names.has(text)) {
      if (this.names.size >= 10 * this.capacity) this.forgetUnnamed();
      this.names.set(text, undefined);
      return undefined;
    }
    if (this.named >= this.capacity) return undefined;
    this.named++;
    const name = `sandbox_${createHash('sha256').update(text).digest('base64url').slice(0, 32)}`;
    this.names.set(text, name);
    return name;
  }

  private forgetUnnamed(): void {
    for (const [text, name] of this.names) if (name === undefined) this.names.delete(text);
  }
}

const byOwner = new WeakMap<object, StatementNames>();

/** The names of one owner (a DataSource). */
export function statementNamesOf(owner: object): StatementNames {
  let names = byOwner.get(owner);
  if (!names) byOwner.set(owner, (names = new StatementNames()));
  return names;
}
