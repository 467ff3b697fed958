import { describeValue } from '../errors/sandbox-error.js';
import {
  InvalidScriptError,
  LimitAboveCeilingError,
  SourceTooLongError,
  UnknownTriggerEntityError,
} from '../errors/script.errors.js';
import { OPERATIONS, type Operation } from '../protocol/change.js';
import type { Limits } from '../protocol/limits.js';
import { ENGINES, type EngineId, type Language } from '../protocol/script.js';
import { nearest } from '../sandbox.options.checks.js';
import { InvalidOptionError } from '../errors/options.errors.js';
import type { SandboxOptions } from '../sandbox.options.js';
import { checkLimits } from '../sandbox.options.resolve.js';
import { checkCondition } from './check-condition.js';
import { checkGates } from './check-gates.js';
import type { EntityCatalog, EntityEntry } from './entity-catalog.js';
import type { Order, ScriptDefinition } from './script.js';

/** A script to be deployed under a name; deploying a name again makes a new version of it. */
export interface DeployRequest extends ScriptDefinition {
  /** 1 to 100 letters, digits, "-", "_" and ".", starting with a letter or digit. */
  readonly name: string;
  /** Default `javascript`. */
  readonly language?: Language;
  readonly source: string;
  /** Default: as it was; true for a new script. */
  readonly enabled?: boolean;
  /** Who deploys it, for the history. */
  readonly createdBy?: string;
}

/** A request that makes sense. */
export interface CheckedDeploy {
  readonly name: string;
  readonly definition: ScriptDefinition;
  readonly language: Language;
  readonly source: string;
  readonly enabled: boolean | undefined;
  readonly createdBy: string | null;
}

const KEYS: readonly (keyof DeployRequest)[] = [
  'name',
  'entity',
  'on',
  'when',
  'order',
  'dedupe',
  'debounce',
  'throttle',
  'engine',
  'limits',
  'retries',
  'language',
  'source',
  'enabled',
  'createdBy',
];
const NAME = /^[A-Za-z0-9][\w.-]{0,99}$/;
const LANGUAGES: readonly Language[] = ['javascript', 'typescript'];
const ORDERS: readonly Order[] = ['tenant', 'record', 'none'];
/** More repeats than this of a run that fails on its own are no help to anybody. */
const MOST_RETRIES = 20;

/** Checks everything but the syntax of the source; throws a teaching error naming the property. */
export function checkDeploy(request: DeployRequest, catalog: EntityCatalog, options: SandboxOptions): CheckedDeploy {
  assertKnownProperties(request, KEYS);
  const given = request as Partial<DeployRequest>;
  const entry = checkEntity(given.entity, catalog);
  return {
    name: checkScriptName(given.name),
    definition: withoutGaps({
      entity: entry.name,
      on: checkOperations(given.on, entry),
      when: checkCondition(given.when, entry),
      order: choice('order', given.order, ORDERS),
      ...checkGates(given, entry),
      engine: checkEngine(given.engine),
      limits: checkScriptLimits(given.limits, options),
      retries: checkRetries(given.retries),
    }),
    language: checkLanguage(given.language),
    source: checkText('source', given.source),
    enabled: checkEnabled(given.enabled),
    createdBy:
      given.createdBy === undefined || given.createdBy === null ? null : checkText('createdBy', given.createdBy),
  };
}

/** Refuses what is no object, and properties that do not exist, naming the one that was probably meant. */
export function assertKnownProperties(request: unknown, known: readonly string[]): void {
  if (request === null || typeof request !== 'object' || Array.isArray(request))
    throw new InvalidScriptError('script', `expected an object, got ${describeValue(request)}`);
  for (const key of Object.keys(request)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    const hint = near ? `; did you mean "${near}"?` : '.';
    throw new InvalidScriptError(key, `there is no such property${hint} Known: ${known.join(', ')}`, key);
  }
}

/** A name that may stand in a URL. */
export function checkScriptName(name: unknown): string {
  if (typeof name === 'string' && NAME.test(name)) return name;
  const expected = '1 to 100 letters, digits, "-", "_" and ".", starting with a letter or digit';
  throw new InvalidScriptError('name', `expected ${expected}, got ${describeValue(name)}`, name);
}

/** The language, `javascript` where it is left out. */
export function checkLanguage(language: unknown): Language {
  return choice('language', language, LANGUAGES) ?? 'javascript';
}

/** The engine, `undefined` where it is left out. */
export function checkEngine(engine: unknown): EngineId | undefined {
  return choice('engine', engine, ENGINES);
}

/** A text that PostgreSQL and the engines can hold: well-formed Unicode without NUL. */
export function checkText(path: string, text: unknown): string {
  if (typeof text !== 'string') throw new InvalidScriptError(path, `expected a text, got ${describeValue(text)}`, text);
  const nul = text.indexOf('\0');
  if (nul >= 0) throw new InvalidScriptError(path, `has a NUL character at offset ${nul}: write it as "\\0"`);
  if (Buffer.from(text, 'utf8').toString('utf8') !== text)
    throw new InvalidScriptError(
      path,
      'is not well-formed Unicode (half of a surrogate pair): write such characters as "\\uXXXX"',
    );
  return text;
}

/** Refuses a source of more bytes than `limit`. */
export function assertSourceLength(source: string, limit: number): void {
  const bytes = Buffer.byteLength(source, 'utf8');
  if (bytes > limit) throw new SourceTooLongError(bytes, limit);
}

/** An entity that fires scripts. */
export function checkEntity(entity: unknown, catalog: EntityCatalog): EntityEntry {
  const known = catalog.entries().filter((entry) => entry.trigger);
  const found = known.find((entry) => entry.name === entity);
  if (found) return found;
  const names = known.map((entry) => entry.name);
  throw new UnknownTriggerEntityError(entity, names, typeof entity === 'string' ? nearest(entity, names) : undefined);
}

/** The operations in their usual order, each once. */
function checkOperations(on: unknown, entry: EntityEntry): readonly Operation[] {
  const possible = OPERATIONS.filter((operation) => entry.trigger?.on.includes(operation));
  const fires = `${entry.name} fires scripts on ${possible.join(', ')}`;
  if (!Array.isArray(on) || on.length === 0)
    throw new InvalidScriptError('on', `expected an array of operations, got ${describeValue(on)}; ${fires}`, on);
  for (const operation of on as unknown[]) {
    if (!possible.includes(operation as Operation))
      throw new InvalidScriptError('on', `${describeValue(operation)} never happens; ${fires}`, operation);
  }
  return possible.filter((operation) => on.includes(operation));
}

/** Limits that a script may ask for. */
export function checkScriptLimits(value: unknown, options: SandboxOptions): Partial<Limits> | undefined {
  if (value === undefined || value === null) return undefined;
  const limits = scriptLimits(value);
  for (const [name, limit] of Object.entries(limits) as [keyof Limits, number][])
    if (limit > options.ceiling[name]) throw new LimitAboveCeilingError(name, limit, options.ceiling[name]);
  return limits;
}

function scriptLimits(value: unknown): Partial<Limits> {
  try {
    return checkLimits('limits', value);
  } catch (error) {
    if (!(error instanceof InvalidOptionError)) throw error;
    throw new InvalidScriptError(error.path, error.message.slice(error.path.length + 2), error.details.value);
  }
}

function checkRetries(retries: unknown): number | undefined {
  if (retries === undefined || retries === null) return undefined;
  if (Number.isInteger(retries) && (retries as number) >= 0 && (retries as number) <= MOST_RETRIES)
    return retries as number;
  const expected = `a whole number from 0 to ${MOST_RETRIES}`;
  throw new InvalidScriptError('retries', `expected ${expected}, got ${describeValue(retries)}`, retries);
}

function checkEnabled(enabled: unknown): boolean | undefined {
  if (enabled === undefined || enabled === null || typeof enabled === 'boolean') return enabled ?? undefined;
  throw new InvalidScriptError('enabled', `expected true or false, got ${describeValue(enabled)}`, enabled);
}

function choice<T extends string>(path: string, value: unknown, choices: readonly T[]): T | undefined {
  if (value === undefined || value === null) return undefined;
  if (choices.includes(value as T)) return value as T;
  const expected = choices.map((item) => `"${item}"`).join(', ');
  throw new InvalidScriptError(path, `expected one of ${expected}, got ${describeValue(value)}`, value);
}

function withoutGaps(definition: ScriptDefinition): ScriptDefinition {
  return Object.fromEntries(Object.entries(definition).filter(([, value]) => value !== undefined)) as never;
}
