import { ArrayObj } from '../arrays.js';
import { fromJson, stringify } from '../library/json.js';
import { isArray } from '../library/object.js';
import { Abort, GuestThrow, machine, makeError, newObject, throwError } from '../machine.js';
import { type Definition, HIDDEN, type Key, Obj, type Prop, type Value } from '../values.js';
import type { EngineRun } from '../../../engine.js';

/** A buffered call: its JSON text, and the result that somebody may look at before it was made. */
interface Buffered {
  readonly text: string;
  done: boolean;
  value: Value;
  failed: Value;
}

/** Text that may wait in the thread, in characters, before it crosses anyway. */
const MAX_BUFFERED = 1 << 20;
/** Arguments of one call, in characters of JSON. */
const MAX_ARGUMENTS = 8 << 20;
type Kind = 'queries' | 'writes' | 'emails' | 'calls';
const COUNTED: Readonly<Record<string, Kind>> = { query: 'queries', execute: 'writes', sendEmail: 'emails' };

/** The script's calls of its host, as the QuickJS prelude makes them (`thread/prelude`): the same texts, the same order. */
export class Bridge {
  rowsRead = 0;
  rowsWritten = 0;
  readonly used: Record<Kind, number> = { queries: 0, writes: 0, emails: 0, calls: 0 };
  private pending: Buffered[] = [];

  constructor(private readonly run: EngineRun) {}

  /** JSON text of what is still buffered; empty where nothing is. */
  get deferred(): string {
    return this.pending.length === 0 ? '' : `[${this.texts()}]`;
  }

  query(args: Value[]): Value {
    const text = argument(args[0]);
    this.count('query');
    const rows = this.cross('query', text, true);
    if (isArray(rows)) this.rowsRead += rows.length;
    return rows;
  }

  execute(args: Value[]): Value {
    const [requests] = args;
    const text = argument(requests);
    this.rowsWritten += isArray(requests) ? requests.length : 1;
    return this.waits('execute', text);
  }

  sendEmail(args: Value[]): Value {
    const [to, cc, bcc, subject, text] = args;
    if (to instanceof Obj && !isArray(to)) return this.waits('sendEmail', argument(to));
    const mail = newObject();
    for (const [name, value] of Object.entries({ to, cc, bcc, subject, text })) mail.put(name, value);
    return this.waits('sendEmail', argument(mail));
  }

  service(method: string, args: Value[]): Value {
    const text = args.map(argument).join(',');
    this.count(method);
    return this.cross(method, text, !this.run.pureMethods.includes(method));
  }

  private count(method: string): boolean {
    const kind = COUNTED[method] ?? 'calls';
    return ++this.used[kind] <= this.run.limits[kind];
  }

  /** Past its limit a call crosses at once, so that the host can end the run. */
  private waits(method: 'execute' | 'sendEmail', text: string): Value {
    return this.count(method) && this.run.deferred ? this.buffer(method, text) : this.cross(method, text, true);
  }

  private buffer(method: 'execute' | 'sendEmail', args: string): Value {
    const entry: Buffered = {
      text: `{"method":"${method}","args":[${args}]}`,
      done: false,
      value: undefined,
      failed: undefined,
    };
    const result = method === 'execute' ? new LazyArray(() => this.look(entry)) : 1;
    machine.charge(entry.text.length);
    this.pending.push(entry);
    if (this.texts().length > MAX_BUFFERED) this.cross('flush', '', true);
    return result;
  }

  private texts(): string {
    return this.pending.map(({ text }) => text).join(',');
  }

  /** The rows of a buffered execute, made now. */
  private look(entry: Buffered): ArrayObj {
    if (!entry.done) this.cross('flush', '', true);
    if (entry.failed !== undefined) throwValue(entry.failed);
    if (entry.value instanceof ArrayObj) return entry.value;
    return throwError('TypeError', 'The result of this execute is not known.');
  }

  private cross(method: string, args: string, carries: boolean): Value {
    const deferred = carries ? this.texts() : '';
    const reply = this.run.call(`{"method":${JSON.stringify(method)},"args":[${args}],"deferred":[${deferred}]}`);
    if (reply === undefined) throw new Abort('cancelled');
    const entries = carries ? this.pending : [];
    if (carries) this.pending = [];
    machine.charge(reply.length * 2);
    const answer = fromJson(reply);
    const ok = own(answer, 'ok') === true;
    settle(entries, answer, ok);
    if (ok) return own(answer, 'value');
    return throwValue(guestError(own(answer, 'error')));
  }
}

function settle(entries: readonly Buffered[], answer: Value, ok: boolean): void {
  const values = own(answer, 'deferred');
  const failedAt = own(answer, 'failedDeferred');
  for (const [index, entry] of entries.entries()) {
    if (values instanceof ArrayObj && index < values.elements.length) entry.value = values.elements[index];
    else if (!ok) entry.failed = guestError(own(answer, 'error'));
    if (index === failedAt) entry.failed = guestError(own(answer, 'error'));
    entry.done = true;
  }
}

function own(object: Value, key: Key): Value {
  return object instanceof Obj ? object.props.get(key)?.value : undefined;
}

/** A failed call: an ordinary error of the guest's, with nothing of the host's but three texts. */
function guestError(failure: Value): Obj {
  const text = (key: string, otherwise: string): string => {
    const value = own(failure, key);
    return typeof value === 'string' ? value : otherwise;
  };
  const error = makeError('Error', text('message', 'The host did not say why.'));
  error.put('name', text('name', 'Error'), HIDDEN);
  error.put('code', text('code', 'SANDBOX_BRIDGE'), HIDDEN);
  return error;
}

function throwValue(value: Value): never {
  throw new GuestThrow(value);
}

function argument(value: Value): string {
  const text = stringify(value);
  if (text === undefined) return 'null';
  if (text.length <= MAX_ARGUMENTS) return text;
  const failure = newObject();
  failure.put('name', 'RangeError');
  failure.put('code', 'SANDBOX_ARGUMENTS_TOO_LARGE');
  failure.put(
    'message',
    `The arguments of this call are ${text.length} characters of JSON; at most ${MAX_ARGUMENTS} may cross.`,
  );
  return throwValue(guestError(failure));
}

/** What a buffered `execute` returns: an array that is fetched when somebody looks at it. */
class LazyArray extends ArrayObj {
  // No longer once it is filled: then it is an array like any other.
  override exotic = true;

  constructor(private readonly rows: () => ArrayObj) {
    super(machine.intrinsics.arrayProto);
  }

  private fill(): void {
    if (!this.exotic) return;
    const { elements } = this.rows();
    this.exotic = false;
    this.elements = elements.slice();
    this.length = elements.length;
  }

  override getOwn(key: Key): Prop | undefined {
    this.fill();
    return super.getOwn(key);
  }
  override get(key: Key, receiver: Value = this): Value {
    // `await context.execute(...)` asks for "then": that is no look at the rows.
    if (key === 'then' && this.exotic) return undefined;
    this.fill();
    return super.get(key, receiver);
  }
  override has(key: Key): boolean {
    this.fill();
    return super.has(key);
  }
  override set(key: Key, value: Value, receiver: Value = this): boolean {
    this.fill();
    return super.set(key, value, receiver);
  }
  override define(key: Key, definition: Definition): boolean {
    this.fill();
    return super.define(key, definition);
  }
  override delete(key: Key): boolean {
    this.fill();
    return super.delete(key);
  }
  override keys(): Key[] {
    this.fill();
    return super.keys();
  }
  override preventExtensions(): boolean {
    this.fill();
    return super.preventExtensions();
  }
}
