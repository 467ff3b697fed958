import 'reflect-metadata';
import { InvalidBridgeServiceError } from '../../errors/bridge.errors.js';
import { describeValue } from '../../errors/sandbox-error.js';
import { isStandardSchema, type StandardSchema } from './standard-schema.js';

/** What `@BridgeMethod` takes. */
export interface BridgeMethodOptions {
  /** Checks and converts the argument; the method gets what the schema returns. Refusals reach the script as an error. */
  readonly input?: StandardSchema;
  /**
   * The method only reads: calling it neither opens the run's transaction nor claims the action. It may not see what the
   * script has written before. Default false.
   */
  readonly pure?: boolean;
}

const SERVICE = Symbol.for('nestjs-sandbox:bridge-service');
const METHOD = Symbol.for('nestjs-sandbox:bridge-method');
const NAME = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;

/** Names in a script's `context` that are taken. */
const BUILT_IN: ReadonlySet<string> = new Set([
  'record',
  'prevRecord',
  'changed',
  'entity',
  'operation',
  'action',
  'userId',
  'tenantId',
  'orgName',
  'query',
  'retrieveMultiple',
  'execute',
  'executeMultiple',
  'sendEmail',
  'limits',
  'constructor',
  'prototype',
  'toString',
  'valueOf',
  'hasOwnProperty',
]);

/** Offers the provider's `@BridgeMethod`s to scripts as `context.<name>.<method>(args)`. */
export function BridgeService(name: string): ClassDecorator {
  return (target) => {
    const where = `@BridgeService on ${target.name}`;
    assertName(where, name);
    if (BUILT_IN.has(name)) {
      throw new InvalidBridgeServiceError(
        where,
        `"${name}" is a name that scripts already know`,
        'Choose another name',
      );
    }
    Reflect.defineMetadata(SERVICE, name, target);
  };
}

/** Offers the method to scripts. It gets `(args, run: BridgeRun)`; what it returns crosses to the script as JSON. */
export function BridgeMethod(options: BridgeMethodOptions = {}): MethodDecorator {
  return (prototype, key) => {
    const where = `@BridgeMethod on ${prototype.constructor.name}.${String(key)}`;
    assertName(where, key);
    if (options.input !== undefined && !isStandardSchema(options.input)) {
      throw new InvalidBridgeServiceError(
        where,
        `input is ${describeValue(options.input)}`,
        'Give a schema that implements Standard Schema, such as one of zod',
      );
    }
    const known = methodsOf(prototype.constructor);
    Reflect.defineMetadata(
      METHOD,
      new Map([...known, [String(key), Object.freeze({ ...options })]]),
      prototype.constructor,
    );
  };
}

/** The name a class was given by `@BridgeService`, if any. */
export function serviceNameOf(target: object): string | undefined {
  return Reflect.getMetadata(SERVICE, target) as string | undefined;
}

/** The methods of a class with `@BridgeMethod`, inherited ones included. */
export function methodsOf(target: object): ReadonlyMap<string, BridgeMethodOptions> {
  return (Reflect.getMetadata(METHOD, target) as ReadonlyMap<string, BridgeMethodOptions> | undefined) ?? new Map();
}

function assertName(where: string, name: unknown): void {
  if (typeof name === 'string' && NAME.test(name) && !['constructor', 'prototype', 'then', 'toJSON'].includes(name))
    return;
  throw new InvalidBridgeServiceError(
    where,
    `${describeValue(name)} cannot be a name in scripts`,
    'Use letters, digits and "_", starting with a letter',
  );
}
