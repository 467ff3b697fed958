import { Module } from '@nestjs/common';
import { ActionsService } from './actions.service.js';

/**
 * The tenants' actions, for those who look after them. Takes `TENANCY`, `ACTION_DISPATCHER`, `QUEUE_BACKEND` and
 * `SandboxEvents` from global providers.
 */
@Module({ providers: [ActionsService], exports: [ActionsService] })
export class ActionsModule {}
