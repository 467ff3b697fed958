import { Module } from '@nestjs/common';
import { DispatchModule } from '../dispatch/dispatch.module.js';
import { Outbox } from './outbox.js';

/** Turns the changes of a transaction into action rows. */
@Module({ imports: [DispatchModule], providers: [Outbox], exports: [Outbox] })
export class OutboxModule {}
