import { getMember, toNumber, toPrimitive, toText } from '../convert.js';
import { type Native, protoFor } from '../evaluator/functions.js';
import { isCallable, machine, throwError } from '../machine.js';
import { CONFIGURABLE, Obj, type Value } from '../values.js';
import { defineClass, defineMethod, defineMethods, type Methods } from './define.js';

/** A date: milliseconds since the epoch, or NaN. */
class DateObj extends Obj {
  constructor(
    proto: Obj,
    public time: number,
  ) {
    super(proto);
  }
  override get className(): string {
    return 'Date';
  }
}

function dateOf(self: Value): DateObj {
  return self instanceof DateObj ? self : throwError('TypeError', 'this is not a Date object.');
}

const PARTS = ['FullYear', 'Month', 'Date', 'Hours', 'Minutes', 'Seconds', 'Milliseconds'] as const;
type Part = (typeof PARTS)[number];
/** How many parts a setter takes, itself included. */
const SETTER_PARTS: Readonly<Record<Part, number>> = {
  FullYear: 3,
  Month: 2,
  Date: 1,
  Hours: 4,
  Minutes: 3,
  Seconds: 2,
  Milliseconds: 1,
};

/** `Date` (ECMA-262 21.4). A script has no time zone but UTC: it runs alike on every processor. */
export function installDate(global: Obj): void {
  const proto = new Obj(machine.intrinsics.objectProto);
  const constructor = defineClass(global, 'Date', 7, proto, (_self, args, target) =>
    target ? new DateObj(protoFor(target, proto), timeFrom(args)) : text(Date.now(), 'full'),
  );
  defineMethods(constructor, {
    UTC: [7, (_self, args) => utc(args)],
    now: [0, () => Date.now()],
    parse: [1, (_self, [value]) => parse(toText(value))],
  });
  defineMethods(proto, METHODS);
  for (const part of PARTS) {
    const getter: Native = (self) => new Date(dateOf(self).time)[`getUTC${part}`]();
    for (const name of [`get${part}`, `getUTC${part}`]) defineMethod(proto, name, 0, getter);
    for (const name of [`set${part}`, `setUTC${part}`]) defineMethod(proto, name, SETTER_PARTS[part], setter(part));
  }
  proto.store('toGMTString', proto.getOwn('toUTCString')!);
  proto.put(Symbol.toPrimitive, defineMethod(proto, Symbol.toPrimitive, 1, dateToPrimitive), CONFIGURABLE);
}

function timeFrom(args: Value[]): number {
  if (args.length === 0) return Date.now();
  if (args.length > 1) return utc(args);
  const [given] = args;
  if (given instanceof DateObj) return given.time;
  const value = toPrimitive(given);
  return typeof value === 'string' ? parse(value) : clip(toNumber(value));
}

/** TimeClip. */
function clip(time: number): number {
  return Math.abs(time) <= 8.64e15 ? Math.trunc(time) + 0 : NaN;
}

function utc(args: Value[]): number {
  const numbers = args.slice(0, 7).map(toNumber);
  const [year = NaN, month = 0, ...rest] = numbers;
  const whole = Math.trunc(year);
  const full = whole >= 0 && whole <= 99 ? 1900 + whole : year;
  const date = new Date(0);
  date.setUTCFullYear(full, month, rest[0] ?? 1);
  date.setUTCHours(rest[1] ?? 0, rest[2] ?? 0, rest[3] ?? 0, rest[4] ?? 0);
  return date.getTime();
}

/** A text without a zone means UTC, not the host's zone. */
function parse(text: string): number {
  const short = text.slice(0, 100);
  if (/(?:z|gmt|utc|[+-]\d\d:?\d\d)\s*(?:\([^)]*\))?$/i.test(short) && /[:]/.test(short)) return Date.parse(short);
  if (/^[+-]?\d{4,6}(?:-\d\d){0,2}$/.test(short)) return Date.parse(short);
  return Date.parse(/^\s*[+-]?\d{4,6}-\d\d-\d\dT/.test(short) ? `${short}Z` : `${short} UTC`);
}

function setter(part: Part): Native {
  return (self, args) => {
    const date = dateOf(self);
    // Read before the arguments are, which may change the date.
    const { time } = date;
    const numbers = args.slice(0, SETTER_PARTS[part]).map(toNumber);
    if (Number.isNaN(time) && part !== 'FullYear') return NaN;
    if (numbers.length === 0) numbers.push(NaN);
    const host = new Date(Number.isNaN(time) ? 0 : time);
    const set = host[`setUTC${part}`] as (...values: number[]) => number;
    date.time = set.apply(host, numbers);
    return date.time;
  };
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function text(time: number, kind: 'full' | 'date' | 'time'): string {
  if (Number.isNaN(time)) return 'Invalid Date';
  const date = new Date(time);
  const two = (value: number): string => String(value).padStart(2, '0');
  const year = date.getUTCFullYear();
  const years = `${year < 0 ? '-' : ''}${String(Math.abs(year)).padStart(4, '0')}`;
  const day = `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${two(date.getUTCDate())} ${years}`;
  const clock = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} GMT+0000 (Coordinated Universal Time)`;
  return kind === 'date' ? day : kind === 'time' ? clock : `${day} ${clock}`;
}

function dateToPrimitive(self: Value, [hint]: Value[]): Value {
  if (!(self instanceof Obj)) return throwError('TypeError', 'Date.prototype[Symbol.toPrimitive] called on non-object');
  if (hint !== 'string' && hint !== 'default' && hint !== 'number') return throwError('TypeError', 'Invalid hint');
  for (const name of hint === 'number' ? ['valueOf', 'toString'] : ['toString', 'valueOf']) {
    const method = self.get(name);
    const result = isCallable(method) ? method.call(self, []) : self;
    if (!(result instanceof Obj)) return result;
  }
  return throwError('TypeError', 'Cannot convert object to primitive value');
}

function isoText(self: Value): string {
  const { time } = dateOf(self);
  return Number.isNaN(time) ? throwError('RangeError', 'Invalid time value') : new Date(time).toISOString();
}

function toJson(self: Value): Value {
  const time = toPrimitive(self, 'number');
  if (typeof time === 'number' && !Number.isFinite(time)) return null;
  const method = getMember(self, 'toISOString');
  return isCallable(method) ? method.call(self, []) : throwError('TypeError', 'toISOString is not a function');
}

const METHODS: Methods = {
  getDay: [0, (self) => new Date(dateOf(self).time).getUTCDay()],
  getUTCDay: [0, (self) => new Date(dateOf(self).time).getUTCDay()],
  getTime: [0, (self) => dateOf(self).time],
  getTimezoneOffset: [0, (self) => (Number.isNaN(dateOf(self).time) ? NaN : 0)],
  getYear: [0, (self) => new Date(dateOf(self).time).getUTCFullYear() - 1900],
  setTime: [1, (self, [time]) => (dateOf(self).time = clip(toNumber(time)))],
  toDateString: [0, (self) => text(dateOf(self).time, 'date')],
  toISOString: [0, isoText],
  toJSON: [1, toJson],
  toLocaleDateString: [0, (self) => text(dateOf(self).time, 'date')],
  'toLocaleString()': [0, (self) => text(dateOf(self).time, 'full')],
  toLocaleTimeString: [0, (self) => text(dateOf(self).time, 'time')],
  'toString()': [0, (self) => text(dateOf(self).time, 'full')],
  toTimeString: [0, (self) => text(dateOf(self).time, 'time')],
  toUTCString: [0, (self) => new Date(dateOf(self).time).toUTCString()],
  'valueOf()': [0, (self) => dateOf(self).time],
};
