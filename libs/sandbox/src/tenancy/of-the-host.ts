import { TenancyFunctionError } from '../errors/tenant.errors.js';

/** Calls a function that the host gave to `databasePerTenant`. What it throws becomes a `TenancyFunctionError`. */
export async function ofTheHost<T>(option: string, fn: () => T | Promise<T>): Promise<T> {
  try {
    return await fn();
  } catch (error) {
    throw new TenancyFunctionError(option, error);
  }
}
