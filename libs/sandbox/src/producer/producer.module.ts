import { Global, Module } from '@nestjs/common';
import { CaptureModule } from './capture/capture.module.js';
import { CHANGE_SINK } from './capture/change-sink.js';
import { DispatchModule } from './dispatch/dispatch.module.js';
import { OutboxModule } from './outbox/outbox.module.js';
import { Outbox } from './outbox/outbox.js';

/** Wires what capture sees to the outbox. */
@Global()
@Module({
  imports: [OutboxModule],
  providers: [{ provide: CHANGE_SINK, useExisting: Outbox }],
  exports: [CHANGE_SINK],
})
class ChangeSinkModule {}

/** What runs in the process that writes entities: capture, outbox, dispatch. */
@Module({ imports: [ChangeSinkModule, CaptureModule, DispatchModule], exports: [CaptureModule, DispatchModule] })
export class ProducerModule {}
