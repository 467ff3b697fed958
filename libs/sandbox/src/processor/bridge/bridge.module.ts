import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { BridgeServices } from './bridge-services.js';

/** Stage 8: the host's services for scripts, found at boot. Sessions are made per run, by the consumer. */
@Module({ imports: [DiscoveryModule], providers: [BridgeServices], exports: [BridgeServices] })
export class BridgeModule {}
