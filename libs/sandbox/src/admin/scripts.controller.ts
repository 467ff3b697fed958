import { Body, Delete, Get, Header, HttpCode, Inject, Param, Post, Put, Query } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiProduces, ApiQuery, ApiTags } from '@nestjs/swagger';
import { describeValue } from '../errors/sandbox-error.js';
import { InvalidScriptError } from '../errors/script.errors.js';
import { assertKnownProperties, type DeployRequest } from '../scripts/deploy-request.js';
import type { DryRunReport } from '../scripts/dry-runner.js';
import type { DeployedScript, ScriptDetail, ScriptSummary, ScriptVersionDetail } from '../scripts/script-views.js';
import { type CheckReport, type CheckRequest, type DryRun, ScriptsService } from '../scripts/scripts.service.js';
import { BODIES } from './openapi.js';
import { Tenant } from './tenant.pipe.js';

/** The tenants' scripts over HTTP. Bodies are checked by `ScriptsService`, whose errors say what is wrong with them. */
@ApiTags('sandbox: scripts')
export class ScriptsController {
  constructor(@Inject(ScriptsService) private readonly scripts: ScriptsService) {}

  @Get('scripts')
  @ApiOperation({ summary: 'Every script, in order of name' })
  list(@Tenant() tenantId: string): Promise<ScriptSummary[]> {
    return this.scripts.list(tenantId);
  }

  @Post('scripts')
  @ApiOperation({ summary: 'Deploy a script under the name in the body' })
  @ApiBody(BODIES.deployNamed)
  create(@Tenant() tenantId: string, @Body() body: unknown): Promise<DeployedScript> {
    return this.scripts.deploy(tenantId, asObject(body) as unknown as DeployRequest);
  }

  @Get('scripts/:name')
  @ApiOperation({ summary: 'One script with its source' })
  get(@Tenant() tenantId: string, @Param('name') name: string): Promise<ScriptDetail> {
    return this.scripts.get(tenantId, name);
  }

  @Put('scripts/:name')
  @ApiOperation({ summary: 'Deploy a script: a new one, or a new version; in force everywhere within a second' })
  @ApiBody(BODIES.deploy)
  deploy(@Tenant() tenantId: string, @Param('name') name: string, @Body() body: unknown): Promise<DeployedScript> {
    return this.scripts.deploy(tenantId, named(name, body) as unknown as DeployRequest);
  }

  @Delete('scripts/:name')
  @HttpCode(204)
  @ApiOperation({ summary: 'Delete a script; its history stays' })
  async remove(@Tenant() tenantId: string, @Param('name') name: string): Promise<void> {
    await this.scripts.remove(tenantId, name);
  }

  @Post('scripts/:name/enable')
  @HttpCode(200)
  @ApiOperation({ summary: 'Let a script fire' })
  enable(@Tenant() tenantId: string, @Param('name') name: string): Promise<ScriptDetail> {
    return this.scripts.enable(tenantId, name);
  }

  @Post('scripts/:name/disable')
  @HttpCode(200)
  @ApiOperation({ summary: 'Stop a script from firing' })
  disable(@Tenant() tenantId: string, @Param('name') name: string): Promise<ScriptDetail> {
    return this.scripts.disable(tenantId, name);
  }

  @Get('scripts/:name/versions')
  @ApiOperation({ summary: 'Every version of a script, the newest first' })
  versions(@Tenant() tenantId: string, @Param('name') name: string): Promise<ScriptVersionDetail[]> {
    return this.scripts.versions(tenantId, name);
  }

  @Post('scripts/:name/rollback')
  @HttpCode(200)
  @ApiOperation({ summary: 'Put an earlier version in force' })
  @ApiBody(BODIES.rollback)
  rollback(@Tenant() tenantId: string, @Param('name') name: string, @Body() body: unknown): Promise<ScriptDetail> {
    return this.scripts.rollback(tenantId, name, versionOf(body));
  }

  @Post('scripts/:name/dry-run')
  @HttpCode(200)
  @ApiOperation({ summary: 'Try a script on a record; nothing of what it does is kept' })
  @ApiBody(BODIES.dryRun)
  dryRun(@Tenant() tenantId: string, @Param('name') name: string, @Body() body: unknown): Promise<DryRunReport> {
    return this.scripts.dryRun(tenantId, named(name, body) as DryRun);
  }

  @Post('check')
  @HttpCode(200)
  @ApiOperation({ summary: 'Whether a source parses, and where not' })
  @ApiBody(BODIES.check)
  check(@Tenant() tenantId: string, @Body() body: unknown): Promise<CheckReport> {
    return this.scripts.check(tenantId, asObject(body) as unknown as CheckRequest);
  }

  @Get('types.d.ts')
  @Header('content-type', 'text/plain; charset=utf-8')
  @ApiOperation({ summary: 'TypeScript declarations of what a script sees' })
  @ApiProduces('text/plain')
  @ApiQuery({ name: 'entity', required: false, description: 'The one entity that fires the script' })
  types(@Tenant() tenantId: string, @Query('entity') entity?: string): Promise<string> {
    return this.scripts.types(tenantId, entity);
  }
}

/** A body, `{}` where there is none. */
function asObject(body: unknown): Record<string, unknown> {
  if (body === undefined || body === null) return {};
  if (typeof body === 'object' && !Array.isArray(body)) return body as Record<string, unknown>;
  throw new InvalidScriptError('body', `expected a JSON object, got ${describeValue(body)}`);
}

function named(name: string, body: unknown): Record<string, unknown> {
  const given = asObject(body);
  if (given.name === undefined || given.name === name) return { ...given, name };
  const problem = `the body says ${describeValue(given.name)} where the address says ${describeValue(name)}; leave it out of the body`;
  throw new InvalidScriptError('name', problem, given.name);
}

function versionOf(body: unknown): number | undefined {
  const given = asObject(body);
  assertKnownProperties(given, ['version']);
  const { version } = given;
  if (version === undefined || version === null) return undefined;
  if (Number.isSafeInteger(version) && (version as number) > 0) return version as number;
  throw new InvalidScriptError('version', `expected a whole number above 0, got ${describeValue(version)}`, version);
}
