import { Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { createScriptCompiler } from './compiler.js';
import { SCRIPT_COMPILER, type ScriptCompiler } from './script-compiler.js';

/** One compiler for the process; its thread starts with the first script that has to be compiled. */
@Module({
  providers: [{ provide: SCRIPT_COMPILER, useFactory: () => createScriptCompiler() }],
  exports: [SCRIPT_COMPILER],
})
export class CompilerModule implements OnApplicationShutdown {
  constructor(@Inject(SCRIPT_COMPILER) private readonly compiler: ScriptCompiler) {}

  async onApplicationShutdown(): Promise<void> {
    await this.compiler.close();
  }
}
