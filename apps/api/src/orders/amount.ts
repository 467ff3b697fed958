import { registerDecorator, type ValidationOptions } from 'class-validator';

const DECIMAL = /^\d{1,12}(\.\d{1,20})?$/;

/**
 * An amount as decimal text, or `undefined` where it is none. A JSON number is taken as the shortest decimal that names
 * it, which is what its sender wrote: 0.1 is stored as 0.1. From 0 to below 10^12.
 */
export function amountText(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 && value < 1e12 ? plain(value) : undefined;
  return typeof value === 'string' && DECIMAL.test(value) ? value : undefined;
}

/** JavaScript writes numbers below 10^-6 with an exponent. */
function plain(value: number): string {
  return value > 0 && value < 1e-6 ? value.toFixed(20) : String(value);
}

/** Validates an amount: a number, or decimal text. */
export function IsAmount(options?: ValidationOptions): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'isAmount',
      target: target.constructor,
      propertyName: String(property),
      options: {
        message:
          '$property must be a number or decimal text from 0 to below 1,000,000,000,000, such as 19.90 or "19.90"',
        ...options,
      },
      validator: { validate: (value) => amountText(value) !== undefined },
    });
}
