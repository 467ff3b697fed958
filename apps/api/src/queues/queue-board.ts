import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Inject, Injectable } from '@nestjs/common';
import { QUEUE_BACKEND, type QueueBackend } from 'nestjs-sandbox';
import type { ApiEnvironment } from 'shop';
import { API_ENVIRONMENT } from '../environment.token.js';

/** Below the root of the api. */
export const BOARD_PATH = 'queues';
/** Tenants on the board: it asks for the counts of each several times a minute. */
const MOST_SHOWN = 50;
/** Milliseconds for which the choice of tenants stands: it costs a command a tenant. */
const CHOICE_MS = 5_000;

/**
 * Bull Board over the tenants' queues: those with work first, then others as far as there is room. Read-only: jobs only
 * carry actions, and who retries or cancels an action does so through the admin API, where its row is changed with it.
 */
@Injectable()
export class QueueBoard {
  private readonly adapter = new ExpressAdapter().setBasePath(`/${BOARD_PATH}`);
  private board: ReturnType<typeof createBullBoard> | undefined;
  private chosenAt = Number.NEGATIVE_INFINITY;

  constructor(
    @Inject(QUEUE_BACKEND) private readonly backend: QueueBackend,
    @Inject(API_ENVIRONMENT) private readonly environment: ApiEnvironment,
  ) {}

  /** The Express application that answers below `BOARD_PATH`. */
  get router(): ExpressRouter {
    return this.adapter.getRouter() as ExpressRouter;
  }

  /** Chooses the tenants anew where that was long ago. Rejects when the queue cannot be reached. */
  async refresh(): Promise<void> {
    if (performance.now() - this.chosenAt < CHOICE_MS) return;
    const queues = (await this.tenants()).map((tenantId) => this.queueOf(tenantId));
    if (this.board) this.board.setQueues(queues);
    else this.board = createBullBoard({ queues, serverAdapter: this.adapter, options: BOARD });
    this.chosenAt = performance.now();
  }

  private async tenants(): Promise<readonly string[]> {
    const { tenants } = this.environment;
    const busy = new Set(await this.backend.withWork(tenants));
    return [...busy, ...tenants.filter((tenantId) => !busy.has(tenantId))].slice(0, MOST_SHOWN);
  }

  private queueOf(tenantId: string): TenantQueue {
    return new TenantQueue(this.backend.queue(tenantId), { readOnlyMode: true });
  }
}

/** Processors serve all queues in turns over two connections: none of them is the worker of one queue. */
class TenantQueue extends BullMQAdapter {
  override getWorkers(): Promise<null> {
    return Promise.resolve(null);
  }
}

/** What Nest applies as middleware. */
type ExpressRouter = (request: unknown, response: unknown, next: () => void) => void;

const BOARD = { uiConfig: { boardTitle: 'Shop' } };
