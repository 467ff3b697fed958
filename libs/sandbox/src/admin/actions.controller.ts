import { Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import type { ActionDetail } from '../actions/action-views.js';
import { type ActionPage, type ActionQuery, ActionsService } from '../actions/actions.service.js';
import { InvalidActionFilterError } from '../errors/action.errors.js';
import { Tenant } from './tenant.pipe.js';

const FILTERS = ['status', 'script', 'entity', 'cursor', 'limit'];

/** The tenants' actions over HTTP. */
@ApiTags('sandbox: actions')
export class ActionsController {
  constructor(@Inject(ActionsService) private readonly actions: ActionsService) {}

  @Get('actions')
  @ApiOperation({ summary: 'Actions, the newest first, in pages: { items, nextCursor }' })
  @ApiQuery({ name: 'status', required: false })
  @ApiQuery({ name: 'script', required: false, description: 'Name of a script' })
  @ApiQuery({ name: 'entity', required: false })
  @ApiQuery({ name: 'cursor', required: false, description: 'nextCursor of the page before' })
  @ApiQuery({ name: 'limit', required: false, description: '1 to 200, default 50' })
  list(@Tenant() tenantId: string, @Query() query: Record<string, unknown>): Promise<ActionPage> {
    return this.actions.list(tenantId, filterOf(query));
  }

  @Get('actions/:id')
  @ApiOperation({ summary: 'One action with its change, its runs and its mails' })
  get(@Tenant() tenantId: string, @Param('id') id: string): Promise<ActionDetail> {
    return this.actions.get(tenantId, id);
  }

  @Post('actions/:id/retry')
  @HttpCode(200)
  @ApiOperation({ summary: 'Run a failed, dead or cancelled action again' })
  retry(@Tenant() tenantId: string, @Param('id') id: string): Promise<ActionDetail> {
    return this.actions.retry(tenantId, id);
  }

  @Post('actions/:id/replay')
  @HttpCode(200)
  @ApiOperation({ summary: 'Ask once more for what a finished action asked for, as a new action' })
  replay(@Tenant() tenantId: string, @Param('id') id: string): Promise<ActionDetail> {
    return this.actions.replay(tenantId, id);
  }

  @Post('actions/:id/cancel')
  @HttpCode(200)
  @ApiOperation({ summary: 'Give up an unfinished action' })
  cancel(@Tenant() tenantId: string, @Param('id') id: string): Promise<ActionDetail> {
    return this.actions.cancel(tenantId, id);
  }
}

/** An empty filter, as forms send it, is none. */
function filterOf(query: Readonly<Record<string, unknown>>): ActionQuery {
  const entries = Object.entries(query).filter(([, value]) => value !== '');
  for (const [name, value] of entries) {
    if (!FILTERS.includes(name))
      throw new InvalidActionFilterError(name, `one of the filters ${FILTERS.join(', ')}`, name);
    if (typeof value !== 'string') throw new InvalidActionFilterError(name, 'one value', value);
  }
  const { limit, ...filter } = Object.fromEntries(entries) as Record<string, string>;
  return {
    ...filter,
    ...(limit === undefined ? {} : { limit: /^\d+$/.test(limit) ? Number(limit) : (limit as never) }),
  };
}
