import 'reflect-metadata';
import { InvalidDecoratorError } from '../errors/decorator.errors.js';

/** What `@ScriptAccess` takes: `true` for every column, or the property names. Left out: nothing. */
export interface ScriptAccessOptions {
  readonly read?: true | readonly string[];
  readonly write?: true | readonly string[];
}

const ACCESS = Symbol.for('nestjs-sandbox:script-access');

/** Says what the bridge lets the tenant's scripts read and write of the entity. Without it: nothing. */
export function ScriptAccess(options: ScriptAccessOptions): ClassDecorator {
  return (target) => {
    for (const right of ['read', 'write'] as const) {
      const columns = options?.[right];
      const valid =
        columns === undefined ||
        columns === true ||
        (Array.isArray(columns) && columns.every((name) => typeof name === 'string'));
      if (!valid)
        throw new InvalidDecoratorError(
          `@ScriptAccess on ${target.name}`,
          right,
          columns,
          'use true or an array of property names',
        );
    }
    Reflect.defineMetadata(ACCESS, Object.freeze({ ...options }), target);
  };
}

/** The options an entity class was decorated with (inherited ones included), if any. */
export function accessOptionsOf(target: object): ScriptAccessOptions | undefined {
  return Reflect.getMetadata(ACCESS, target) as ScriptAccessOptions | undefined;
}

/** Whether the class itself was decorated, and not only one that it extends. */
export function hasAccessOptions(target: object): boolean {
  return Reflect.hasOwnMetadata(ACCESS, target);
}
