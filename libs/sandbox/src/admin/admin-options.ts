import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import { MissingAdminGuardError } from '../errors/admin.errors.js';

/** A guard: a class that Nest makes, or an instance. */
export type AdminGuard = Type<CanActivate> | CanActivate;

/** What the admin API needs of a request, of Express or Fastify. */
export interface AdminRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** What has to be known when the module is written down. */
export interface AdminMounting {
  /** Who may use the admin API. `guard` or `guards` is a must: the module refuses to start without. */
  readonly guard?: AdminGuard;
  readonly guards?: readonly AdminGuard[];
  /** First part of every route. Default `sandbox`. */
  readonly path?: string;
  /** Name of the OpenAPI security scheme of the guard. Default `bearer`. */
  readonly security?: string;
  /** Modules that provide what the guards inject, where those are not global. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
}

/** What a factory may provide. */
export interface AdminSettings {
  /** The tenant a request is about. Default: its header `x-tenant-id`. */
  readonly tenant?: (request: AdminRequest) => string | undefined | Promise<string | undefined>;
}

/** What `SandboxAdminModule.forRoot` takes. */
export interface SandboxAdminOptions extends AdminMounting, AdminSettings {}

/** What a class given as `useClass` or `useExisting` implements. */
export interface AdminSettingsFactory {
  createAdminSettings(): AdminSettings | Promise<AdminSettings>;
}

/** What `SandboxAdminModule.forRootAsync` takes: one of `useFactory`, `useClass` and `useExisting`. */
export interface SandboxAdminAsyncOptions extends AdminMounting {
  // eslint-disable-next-line typescript/no-explicit-any -- what is injected is the factory's business, as in Nest's own types
  readonly useFactory?: (...args: any[]) => AdminSettings | Promise<AdminSettings>;
  readonly inject?: readonly (Type | string | symbol)[];
  readonly useClass?: Type<AdminSettingsFactory>;
  readonly useExisting?: Type<AdminSettingsFactory>;
}

/** Injection token of the `AdminSettings`. */
export const ADMIN_SETTINGS = Symbol.for('nestjs-sandbox:admin-settings');

/** The guards, at least one. Throws `MissingAdminGuardError`. */
export function guardsOf({ guard, guards = [] }: AdminMounting): readonly AdminGuard[] {
  const all = guard === undefined ? guards : [guard, ...guards];
  if (!Array.isArray(all) || all.length === 0) throw new MissingAdminGuardError();
  for (const each of all) {
    const usable =
      typeof each === 'function' || typeof (each as Partial<CanActivate> | null)?.canActivate === 'function';
    if (!usable) throw new MissingAdminGuardError(each);
  }
  return all;
}
