import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { SandboxHealthIndicator } from './sandbox-health.indicator.js';

/** Provides `SandboxHealthIndicator` to a health controller. Needs `SandboxModule` beside it. */
@Module({ imports: [TerminusModule], providers: [SandboxHealthIndicator], exports: [SandboxHealthIndicator] })
export class SandboxHealthModule {}
