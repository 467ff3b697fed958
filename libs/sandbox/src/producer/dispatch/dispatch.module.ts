import { Module } from '@nestjs/common';
import { ACTION_DISPATCHER } from '../../queue/action-dispatcher.js';
import { QueueDispatcher } from './dispatcher.js';
import { Relay } from './relay.js';

/** Takes committed actions to the queue, now or, where that fails, later. */
@Module({
  providers: [QueueDispatcher, Relay, { provide: ACTION_DISPATCHER, useExisting: QueueDispatcher }],
  exports: [ACTION_DISPATCHER, Relay],
})
export class DispatchModule {}
