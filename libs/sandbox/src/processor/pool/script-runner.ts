import { InvalidBridgeMethodError, InvalidRunError, RunnerClosedError } from '../../errors/pool.errors.js';
import type { BridgeCall, BridgeReply } from '../../protocol/bridge-call.js';
import { DEFAULT_LIMITS, type Limits } from '../../protocol/limits.js';
import type { RunInput, RunResult, ScriptError } from '../../protocol/run.js';
import { type EngineId, ENGINES, type Language } from '../../protocol/script.js';
import { createScriptCompiler } from '../../scripts/compiler/compiler.js';
import type { ScriptCompiler } from '../../scripts/compiler/script-compiler.js';
import { createScriptPool, type ScriptPoolOptions } from './create-pool.js';
import type { PoolResult, ScriptPool } from './script-pool.js';
import { refusal } from './wire.js';

/**
 * What a script may call: `query`, `execute`, `sendEmail` and `<service>.<method>`, each a function of the call's arguments.
 * What it returns crosses as JSON; what it throws reaches the script as an `Error` with its name, message and code.
 */
export type RunnerBridge = Readonly<Record<string, (...args: never[]) => unknown>>;

/** Options of `createScriptRunner`. */
export interface ScriptRunnerOptions extends Pick<ScriptPoolOptions, 'threads' | 'isolation'> {
  /** Engine of the runs that name none. Default `quickjs`. */
  readonly engine?: EngineId;
  /** Limits of every run, over the defaults of `Limits`. */
  readonly limits?: Partial<Limits>;
}

/** One script to run. */
export interface ScriptRun {
  /** What the script sees as `context.tenantId`. */
  readonly tenantId: string;
  readonly source: string;
  /** Default `javascript`. */
  readonly language?: Language;
  /** Default: the runner's. */
  readonly engine?: EngineId;
  /** What the script sees as `context`; plain JSON values. */
  readonly input?: RunInput;
  readonly bridge?: RunnerBridge;
  /** Limits of this run, over the runner's. */
  readonly limits?: Partial<Limits>;
  /** Ends the run as `cancelled`. */
  readonly signal?: AbortSignal;
}

/** Runs scripts without Nest, a queue or a database. */
export interface ScriptRunner {
  /**
   * Runs a script to its end. A script can never make this reject, hang past its limits or end the process.
   * @throws InvalidRunError, InvalidBridgeMethodError, RunnerClosedError where the caller is at fault.
   */
  run(run: ScriptRun): Promise<RunResult>;
  /** Waits for the runs in flight (at most `drainMs`, default 10 s, then they are cancelled) and ends the threads. */
  close(drainMs?: number): Promise<void>;
}

/**
 * A runner with threads and a compiler of its own; close it after use.
 * @throws InvalidRunError for options that cannot be.
 */
export async function createScriptRunner(options: ScriptRunnerOptions = {}): Promise<ScriptRunner> {
  checkOptionNames(options);
  const engine = checkEngine(options.engine ?? 'quickjs');
  const { threads, isolation } = options;
  if (threads !== undefined && !(Number.isSafeInteger(threads) && threads > 0))
    throw new InvalidRunError('threads', threads, 'Use a whole number of at least 1.');
  const limits = { ...DEFAULT_LIMITS, ...checkLimits(options.limits) };
  const pool = createScriptPool({ engine, ...(threads ? { threads } : {}), ...(isolation ? { isolation } : {}) });
  return new PoolRunner(pool, createScriptCompiler(), engine, limits);
}

class PoolRunner implements ScriptRunner {
  private closed = false;

  constructor(
    private readonly pool: ScriptPool,
    private readonly compiler: ScriptCompiler,
    private readonly engine: EngineId,
    private readonly limits: Limits,
  ) {}

  async run(run: ScriptRun): Promise<RunResult> {
    if (this.closed) throw new RunnerClosedError();
    checkRun(run);
    const startedAt = performance.now();
    const { source, tenantId, language = 'javascript', input = {}, bridge = {}, signal } = run;
    const limits = { ...this.limits, ...checkLimits(run.limits) };
    const methods = checkMethods(bridge);
    const tooLong = sourceError(source, limits.sourceBytes);
    if (tooLong) return syntaxError(tooLong, startedAt);
    const compiled = await this.compiler.compile({ source, language, engine: checkEngine(run.engine ?? this.engine) });
    if (!compiled.ok) return syntaxError(compiled.error, startedAt);
    const onCall = (call: BridgeCall) => answer(bridge, call);
    const { script } = compiled;
    const request = { script, source, tenantId, input, limits, methods, deferred: false, onCall };
    return runResult(await this.pool.run(signal ? { ...request, signal } : request));
  }

  async close(drainMs?: number): Promise<void> {
    this.closed = true;
    await Promise.all([this.pool.close(drainMs), this.compiler.close()]);
  }
}

async function answer(bridge: RunnerBridge, { method, args }: BridgeCall): Promise<BridgeReply> {
  try {
    const serve = bridge[method] as (...args: readonly unknown[]) => unknown;
    return { ok: true, value: await serve(...args) };
  } catch (error) {
    return failureOf(error);
  }
}

const MAX_TEXT = 2_000;

/** The three texts of an error that cross; a thrown value that is no error crosses as one without a message. */
function failureOf(error: unknown): BridgeReply {
  if (typeof error !== 'object' || error === null) return refusal('SANDBOX_BRIDGE', String(error).slice(0, MAX_TEXT));
  const { name, message, code } = error as Readonly<Record<string, unknown>>;
  const text = (value: unknown, otherwise: string) =>
    typeof value === 'string' ? value.slice(0, MAX_TEXT) : otherwise;
  return refusal(text(code, 'SANDBOX_BRIDGE'), text(message, ''), text(name, 'Error'));
}

function runResult({ outcome, value, logs, error, usage }: PoolResult): RunResult {
  return { outcome, ...(value === undefined ? {} : { value }), logs, ...(error ? { error } : {}), usage };
}

function sourceError(source: string, sourceBytes: number): ScriptError | undefined {
  const bytes = source.length > sourceBytes ? source.length : Buffer.byteLength(source);
  if (bytes <= sourceBytes) return undefined;
  const message = `The source is ${bytes} bytes; ${sourceBytes} are allowed.`;
  return { name: 'SyntaxError', message, code: 'SANDBOX_SOURCE_TOO_LONG' };
}

function syntaxError(error: ScriptError, startedAt: number): RunResult {
  const wallMs = performance.now() - startedAt;
  return { outcome: 'syntaxError', logs: [], error, usage: { cpuMs: 0, wallMs, waitMs: 0, calls: 0 } };
}

const OPTIONS: readonly string[] = ['engine', 'threads', 'isolation', 'limits'];

function checkOptionNames(options: object): void {
  for (const [name, value] of Object.entries(options))
    if (!OPTIONS.includes(name))
      throw new InvalidRunError(name, value, `There is no such option; there are ${OPTIONS.join(', ')}.`);
}

function checkRun({ source, tenantId, language, input }: ScriptRun): void {
  if (typeof source !== 'string') throw new InvalidRunError('source', source, 'Use the text of a script.');
  if (typeof tenantId !== 'string') throw new InvalidRunError('tenantId', tenantId, 'Use a string.');
  if (language !== undefined && language !== 'javascript' && language !== 'typescript')
    throw new InvalidRunError('language', language, 'Use "javascript" or "typescript".');
  if (!isJson(input)) throw new InvalidRunError('input', input, 'Use an object that JSON.stringify can write.');
}

function isJson(input: unknown): boolean {
  if (input === undefined) return true;
  if (typeof input !== 'object' || input === null) return false;
  try {
    return typeof JSON.stringify(input) === 'string';
  } catch {
    return false;
  }
}

function checkEngine(engine: EngineId): EngineId {
  if (!ENGINES.includes(engine)) throw new InvalidRunError('engine', engine, `Use one of ${ENGINES.join(', ')}.`);
  return engine;
}

function checkLimits(limits: Partial<Limits> = {}): Partial<Limits> {
  for (const [name, value] of Object.entries(limits)) {
    if (!(name in DEFAULT_LIMITS))
      throw new InvalidRunError(`limits.${name}`, value, `Use one of ${Object.keys(DEFAULT_LIMITS).join(', ')}.`);
    if (typeof value !== 'number' || !(value >= 0) || value > Number.MAX_SAFE_INTEGER)
      throw new InvalidRunError(`limits.${name}`, value, 'Use a number of at least 0.');
  }
  return limits;
}

const METHOD = /^(?:query|execute|sendEmail|[A-Za-z_$][\w$]*\.[A-Za-z_$][\w$]*)$/;
const checked = new WeakSet<object>();

function checkMethods(bridge: RunnerBridge): string[] {
  const methods = Object.keys(bridge);
  if (checked.has(bridge)) return methods;
  for (const method of methods) {
    if (!METHOD.test(method) || method.includes('__proto__')) throw new InvalidBridgeMethodError(method);
    if (typeof bridge[method] !== 'function')
      throw new InvalidRunError(`bridge[${JSON.stringify(method)}]`, bridge[method], 'Use a function.');
  }
  checked.add(bridge);
  return methods;
}
