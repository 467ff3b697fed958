import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { HOST_METHODS } from '../../scripts/script-types.js';
import { BridgeServices } from './bridge-services.js';

/** Stage 8: the host's services for scripts, found at boot. Sessions are made per run, by the consumer. */
@Module({
  imports: [DiscoveryModule],
  providers: [
    BridgeServices,
    {
      provide: HOST_METHODS,
      inject: [BridgeServices],
      useFactory: (services: BridgeServices) => () => services.names(),
    },
  ],
  exports: [BridgeServices, HOST_METHODS],
})
export class BridgeModule {}
