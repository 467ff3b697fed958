import { Module } from '@nestjs/common';
import { DRY_RUNNER } from '../../scripts/dry-runner.js';
import { BridgeModule } from '../bridge/bridge.module.js';
import { MailModule } from '../mail/mail.module.js';
import { Consumer } from './consumer.js';
import { PoolDryRunner } from './dry-run.js';

/** Stage 5: runs what the turns hand over. Needs `TURNS`, `SCRIPT_POOL` and `ACTION_DISPATCHER`. */
@Module({
  imports: [BridgeModule, MailModule],
  providers: [Consumer, PoolDryRunner, { provide: DRY_RUNNER, useExisting: PoolDryRunner }],
  exports: [Consumer, DRY_RUNNER],
})
export class ConsumerModule {}
