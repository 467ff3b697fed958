// The public API of nestjs-sandbox, grouped by what the reader wants to do.

// Configure
export { SandboxModule } from './sandbox.module.js';
export type { SandboxOptionsFactory } from './sandbox.module-definition.js';
export { SANDBOX_OPTIONS } from './sandbox.options.js';
export type {
  CaptureOptions,
  ProcessingOptions,
  QueueOptions,
  RelayOptions,
  SandboxModuleOptions,
  SandboxOptions,
  TenantRate,
} from './sandbox.options.js';
export { databasePerTenant, type DatabasePerTenantOptions } from './tenancy/database-per-tenant.js';
export { DEFAULT_LIMITS, type Limits } from './protocol/limits.js';

// Trigger
export { ScriptTrigger, type ScriptTriggerOptions } from './scripts/script-trigger.decorator.js';
export { ScriptAccess, type ScriptAccessOptions } from './scripts/script-access.decorator.js';
export { SandboxContext, type SandboxContextValues } from './tenancy/sandbox-context.js';
export { TenantDataSources } from './tenancy/tenant-data-sources.js';

// Bridge
export { BridgeMethod, BridgeService, type BridgeMethodOptions } from './processor/bridge/bridge-service.decorator.js';
export type { BridgeRun } from './processor/bridge/bridge-run.js';
export type { StandardSchema } from './processor/bridge/standard-schema.js';
export { BridgeError } from './errors/bridge.errors.js';

// Deploy
export { ScriptsService, type CheckReport, type CheckRequest, type DryRun } from './scripts/scripts.service.js';
export type { DryRunChange, DryRunReport } from './scripts/dry-runner.js';
export type { DeployRequest } from './scripts/deploy-request.js';
export type { DeployedScript, ScriptDetail, ScriptSummary, ScriptVersionDetail } from './scripts/script-views.js';
export type {
  Debounce,
  Dedupe,
  Order,
  ScriptDefinition,
  ScriptVersion,
  Throttle,
  TriggerCondition,
} from './scripts/script.js';

// Operate
export { ActionsService, type ActionPage, type ActionQuery } from './actions/actions.service.js';
export type { ActionDetail, ActionSummary, EmailDetail, ExecutionDetail } from './actions/action-views.js';
export type { ActionStatus } from './records/action.record.js';
export { SandboxEvents, type SandboxEventMap } from './events/sandbox-events.js';

// Run without Nest
export { createScriptRunner } from './processor/pool/script-runner.js';
export type { RunnerBridge, ScriptRun, ScriptRunner, ScriptRunnerOptions } from './processor/pool/script-runner.js';
export { createScriptCompiler, type ScriptCompilerOptions } from './scripts/compiler/compiler.js';
export type { CompileRequest, CompileResult, ScriptCompiler } from './scripts/compiler/script-compiler.js';

// Data that crosses
export type { Change, JsonRecord, Operation } from './protocol/change.js';
export type { LogLevel, LogLine, Outcome, RunInput, RunResult, ScriptError, Usage } from './protocol/run.js';
export type { Aggregate, Condition, Include, OrderBy, Query, Where } from './processor/bridge/query/query.js';
export type { ExecuteRequest } from './processor/bridge/execute-request.js';
export type { EmailMessage } from './records/email.statements.js';
export type { CompiledScript, EngineId, Isolation, Language } from './protocol/script.js';

// Errors: docs/errors.md says what each means and what to do
export { SandboxError } from './errors/sandbox-error.js';
export { ActionNotFoundError, ActionStateError, InvalidActionFilterError } from './errors/action.errors.js';
export { InvalidDecoratorError } from './errors/decorator.errors.js';
export { InvalidOptionError } from './errors/options.errors.js';
export { InvalidBridgeMethodError, InvalidRunError, RunnerClosedError } from './errors/pool.errors.js';
export { QueueNotConfiguredError, QueueUnavailableError } from './errors/queue.errors.js';
export {
  DryRunRecordNotFoundError,
  DryRunUnavailableError,
  InvalidScriptError,
  LimitAboveCeilingError,
  ScriptNotFoundError,
  ScriptSyntaxError,
  SourceTooLongError,
  UnknownTriggerEntityError,
  VersionNotFoundError,
} from './errors/script.errors.js';
export { InvalidTenantIdError, TenancyClosedError, UnknownTenantError } from './errors/tenant.errors.js';
export { OutboxWriteError, TransactionOfTwoTenantsError, WriteWithoutTenantError } from './errors/capture.errors.js';

// Extend
export { TENANCY } from './tenancy/tenancy.js';
export type {
  SqlClient,
  SqlConnection,
  SqlPool,
  SqlResult,
  SqlStatement,
  Tenancy,
  TenantLease,
} from './tenancy/tenancy.js';
export { QUEUE_BACKEND } from './queue/queue-backend.js';
export type { DeploymentLog, NewJob, QueueBackend, TenantRing } from './queue/queue-backend.js';
export { TURNS, type Delivery, type DeliveryHandler, type Turns } from './processor/turns/turns.js';
export { MIGRATIONS, type Migration } from './records/schema.js';
