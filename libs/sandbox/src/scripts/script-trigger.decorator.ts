import 'reflect-metadata';
import { InvalidDecoratorError } from '../errors/decorator.errors.js';
import { OPERATIONS, type Operation } from '../protocol/change.js';

/** What `@ScriptTrigger` takes. */
export interface ScriptTriggerOptions {
  /** Operations that can fire scripts. Soft removal counts as `delete`, recovery as `create`. */
  readonly on: readonly Operation[];
  /** The name scripts know the entity by. Default: the class name in camel case, `Order` -> `order`. */
  readonly name?: string;
}

const TRIGGER = Symbol.for('nestjs-sandbox:script-trigger');
const TARGETS = Symbol.for('nestjs-sandbox:script-trigger-targets');
const ENTITY_NAME = /^[A-Za-z][A-Za-z0-9_]{0,62}$/;

/** Lets writes of the entity fire scripts. Throws `InvalidDecoratorError` when its options make no sense. */
export function ScriptTrigger(options: ScriptTriggerOptions): ClassDecorator {
  return (target) => {
    assertTriggerOptions(target.name, options);
    Reflect.defineMetadata(TRIGGER, Object.freeze({ ...options }), target);
    targets().add(target);
  };
}

/** Every class decorated so far: to find, at boot, one that is no entity. Shared by all copies of the library. */
export function triggerTargets(): ReadonlySet<Function> {
  return targets();
}

function targets(): Set<Function> {
  const shared = globalThis as unknown as Record<symbol, Set<Function> | undefined>;
  return (shared[TARGETS] ??= new Set());
}

/** The options an entity class was decorated with (inherited ones included), if any. */
export function triggerOptionsOf(target: object): ScriptTriggerOptions | undefined {
  return Reflect.getMetadata(TRIGGER, target) as ScriptTriggerOptions | undefined;
}

function assertTriggerOptions(className: string, options: ScriptTriggerOptions): void {
  const where = `@ScriptTrigger on ${className}`;
  if (!Array.isArray(options?.on) || options.on.length === 0) {
    throw new InvalidDecoratorError(where, 'on', options?.on, `name at least one of ${OPERATIONS.join(', ')}`);
  }
  for (const operation of options.on) {
    if (!OPERATIONS.includes(operation)) {
      throw new InvalidDecoratorError(where, 'on', operation, `use ${OPERATIONS.join(', ')}`);
    }
  }
  if (options.name !== undefined && !ENTITY_NAME.test(options.name)) {
    throw new InvalidDecoratorError(where, 'name', options.name, 'use letters, digits and "_", starting with a letter');
  }
}
