import {
  Controller,
  type DynamicModule,
  Inject,
  Module,
  Optional,
  type Provider,
  type Type,
  UseFilters,
  UseGuards,
} from '@nestjs/common';
import { ApiSecurity } from '@nestjs/swagger';
import { MissingAdminGuardError } from '../errors/admin.errors.js';
import { ActionsController } from './actions.controller.js';
import {
  ADMIN_SETTINGS,
  type AdminMounting,
  type AdminSettingsFactory,
  guardsOf,
  type SandboxAdminAsyncOptions,
  type SandboxAdminOptions,
} from './admin-options.js';
import { SandboxErrorFilter } from './sandbox-error.filter.js';
import { ScriptsController } from './scripts.controller.js';

/**
 * The admin API: scripts and actions over HTTP, for those whom its guard lets in. Needs `SandboxModule` beside it.
 * OpenAPI shows the header that names the tenant if the host declares it once for all routes, as in
 * `new DocumentBuilder().addGlobalParameters({ name: 'x-tenant-id', in: 'header' })`.
 * Without a guard it throws `MissingAdminGuardError`, at the latest when the application starts.
 */
@Module({})
export class SandboxAdminModule {
  constructor(@Optional() @Inject(ADMIN_SETTINGS) settings?: unknown) {
    if (settings === undefined) throw new MissingAdminGuardError();
  }

  /** Mounts the admin API. */
  static forRoot(options: SandboxAdminOptions): DynamicModule {
    const { tenant } = options ?? {};
    return moduleOf(options ?? {}, [{ provide: ADMIN_SETTINGS, useValue: tenant ? { tenant } : {} }]);
  }

  /** The same as `forRoot`. */
  static register(options: SandboxAdminOptions): DynamicModule {
    return SandboxAdminModule.forRoot(options);
  }

  /** Mounts the admin API with settings from a factory; guards and path have to be known at once. */
  static forRootAsync(options: SandboxAdminAsyncOptions): DynamicModule {
    return moduleOf(options ?? {}, settingsProviders(options ?? {}));
  }
}

function moduleOf(mounting: AdminMounting, providers: Provider[]): DynamicModule {
  guardsOf(mounting);
  return {
    module: SandboxAdminModule,
    imports: [...(mounting.imports ?? [])],
    providers,
    controllers: [mounted(ScriptsController, mounting), mounted(ActionsController, mounting)],
  };
}

/** A class of its own for every mounting: two of them do not share path or guards. */
function mounted(controller: Type, mounting: AdminMounting): Type {
  const Mounted = class extends controller {};
  Object.defineProperty(Mounted, 'name', { value: `Sandbox${controller.name}` });
  const decorators = [
    Controller(mounting.path ?? 'sandbox'),
    UseGuards(...guardsOf(mounting)),
    UseFilters(SandboxErrorFilter),
    ApiSecurity(mounting.security ?? 'bearer'),
  ];
  for (const decorate of decorators) decorate(Mounted);
  return Mounted;
}

function settingsProviders(options: SandboxAdminAsyncOptions): Provider[] {
  const { useFactory, useClass, useExisting, inject = [] } = options;
  if (useFactory) return [{ provide: ADMIN_SETTINGS, useFactory, inject: [...inject] }];
  const factory = useExisting ?? useClass;
  if (!factory) return [{ provide: ADMIN_SETTINGS, useValue: {} }];
  const create = (settings: AdminSettingsFactory) => settings.createAdminSettings();
  return [...(useClass ? [useClass] : []), { provide: ADMIN_SETTINGS, useFactory: create, inject: [factory] }];
}
