import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { SandboxModuleOptions } from './sandbox.options.js';

/** What a class given as `useClass` or `useExisting` to `SandboxModule.forRootAsync` implements. */
export interface SandboxOptionsFactory {
  createSandboxOptions(): SandboxModuleOptions | Promise<SandboxModuleOptions>;
}

/**
 * The generated `forRoot` and `forRootAsync`. `MODULE_OPTIONS_TOKEN` holds the options as the host wrote them; the rest
 * of the library reads `SANDBOX_OPTIONS`, resolved and frozen.
 */
export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SandboxModuleOptions>({ moduleName: 'Sandbox' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createSandboxOptions')
    .build();
