import { getMember, toText } from '../convert.js';
import { type NativeFn, protoFor } from '../evaluator/functions.js';
import { ErrorObj, type ErrorName, machine, newArray, throwError } from '../machine.js';
import { HIDDEN, Obj, type Value } from '../values.js';
import { defineClass, defineMethod } from './define.js';
import { toList } from './iterate.js';

const NAMES: readonly ErrorName[] = [
  'Error',
  'TypeError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'URIError',
  'EvalError',
];

/** `Error`, its subclasses and `AggregateError` (ECMA-262 20.5). */
export function installErrors(global: Obj): void {
  const { errorProtos } = machine.intrinsics;
  const [base] = NAMES.map((name) => {
    const constructor = defineClass(global, name, 1, errorProtos[name], (_self, [message, options], target) =>
      makeInstance(errorProtos[name], target, message, options),
    );
    errorProtos[name].put('name', name, HIDDEN);
    errorProtos[name].put('message', '', HIDDEN);
    return constructor;
  }) as [NativeFn];
  for (const name of NAMES.slice(1)) (global.get(name) as Obj).setPrototype(base);
  installAggregateError(global, base);
  defineMethod(errorProtos.Error, 'toString', 0, errorText);
  defineMethod(base, 'isError', 1, (_self, [value]) => value instanceof ErrorObj);
  defineMethod(base, 'captureStackTrace', 1, () => undefined);
}

function installAggregateError(global: Obj, base: NativeFn): void {
  const proto = new Obj(machine.intrinsics.errorProtos.Error);
  const constructor = defineClass(global, 'AggregateError', 2, proto, (_self, [errors, message, options], target) => {
    const error = makeInstance(proto, target, message, options);
    error.put('errors', newArray(toList(errors)), HIDDEN);
    return error;
  });
  constructor.setPrototype(base);
  proto.put('name', 'AggregateError', HIDDEN);
  proto.put('message', '', HIDDEN);
}

/** The instance, with `message`, `cause` and a `stack` that names functions alone: positions are the compiled code's. */
function makeInstance(proto: Obj, target: Parameters<typeof protoFor>[0], message: Value, options: Value): ErrorObj {
  const error = new ErrorObj(protoFor(target, proto));
  if (message !== undefined) error.put('message', toText(message), HIDDEN);
  if (options instanceof Obj && options.has('cause')) error.put('cause', options.get('cause'), HIDDEN);
  const names = error.frames.map(({ name }) => `    at ${name || '<script>'}`);
  error.put('stack', names.join('\n'), HIDDEN);
  return error;
}

function errorText(self: Value): Value {
  if (!(self instanceof Obj)) return throwError('TypeError', 'Error.prototype.toString called on non-object');
  const name = getMember(self, 'name');
  const message = getMember(self, 'message');
  const nameText = name === undefined ? 'Error' : toText(name);
  const messageText = message === undefined ? '' : toText(message);
  if (nameText === '') return messageText;
  return messageText === '' ? nameText : `${nameText}: ${messageText}`;
}
