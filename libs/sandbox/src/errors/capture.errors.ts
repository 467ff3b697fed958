import { SandboxError } from './sandbox-error.js';

/** A watched entity was written where nothing says for which tenant. The write is rolled back. */
export class WriteWithoutTenantError extends SandboxError {
  readonly code = 'SANDBOX_WRITE_WITHOUT_TENANT';
  constructor(entity: string) {
    super(
      `A write of "${entity}", which can fire scripts, belongs to no tenant: its DataSource is not one of the tenancy's. Write through TenantDataSources, or inside SandboxContext.run({ tenantId }, ...).`,
      { entity },
    );
  }
}

/** An entity with `@ScriptTrigger` has no primary key, so that its records could not be told apart. */
export class WatchedEntityWithoutKeyError extends SandboxError {
  readonly code = 'SANDBOX_ENTITY_WITHOUT_KEY';
  constructor(entity: string) {
    super(
      `Entity ${entity} has @ScriptTrigger but no primary key: scripts could not tell its records apart. Give it a @PrimaryColumn or @PrimaryGeneratedColumn, or take @ScriptTrigger off.`,
      { entity },
    );
  }
}

/** A class with `@ScriptTrigger` is an entity of no DataSource: its scripts would never fire. */
export class TriggerOnNonEntityError extends SandboxError {
  readonly code = 'SANDBOX_TRIGGER_ON_NON_ENTITY';
  constructor(className: string) {
    super(
      `Class ${className} has @ScriptTrigger but is no entity of any DataSource, so nothing would ever fire. Add @Entity() and list it under "entities" of the DataSource, or take @ScriptTrigger off.`,
      { className },
    );
  }
}

/** Two watched entities of one DataSource go by the same name. */
export class DuplicateTriggerNameError extends SandboxError {
  readonly code = 'SANDBOX_DUPLICATE_TRIGGER_NAME';
  constructor(name: string, entities: readonly string[]) {
    super(
      `Entities ${entities.join(' and ')} are both known to scripts as "${name}". Give one of them another name: @ScriptTrigger({ on: [...], name: '...' }).`,
      { name, entities },
    );
  }
}

/** The database that a watched entity was written in has no action table. The write is rolled back. */
export class OutboxTableMissingError extends SandboxError {
  readonly code = 'SANDBOX_OUTBOX_TABLE_MISSING';
  constructor(tenantId: string, cause: unknown) {
    super(
      `A script of tenant "${tenantId}" listens to this write, but the database it was made in has no table sandbox_action. Write through a DataSource of the tenancy, whose tables are created when it is opened, or apply MIGRATIONS to this database.`,
      { tenantId },
      cause,
    );
  }
}

/** The action rows of a write could not be written. The write is rolled back. */
export class OutboxWriteError extends SandboxError {
  readonly code = 'SANDBOX_OUTBOX_WRITE';
  constructor(tenantId: string, expected: number, written: number) {
    super(
      `${written} of ${expected} action rows of a write of tenant "${tenantId}" were written, because the transaction had ended before. Let the transaction's own COMMIT or ROLLBACK come last.`,
      { tenantId, expected, written },
    );
  }
}

/** A DataSource with watched entities has a driver other than PostgreSQL. */
export class UnwatchableDriverError extends SandboxError {
  readonly code = 'SANDBOX_UNWATCHABLE_DRIVER';
  constructor(entity: string, driver: string) {
    super(
      `Entity ${entity} has @ScriptTrigger, but its DataSource has type "${driver}": action rows are kept in the same PostgreSQL database as the record. Take @ScriptTrigger off, or move the entity to a DataSource of type 'postgres'.`,
      { entity, driver },
    );
  }
}

/** One transaction wrote records of two tenants. It is rolled back. */
export class TransactionOfTwoTenantsError extends SandboxError {
  readonly code = 'SANDBOX_TRANSACTION_OF_TWO_TENANTS';
  constructor(first: string, second: string) {
    super(
      `One transaction wrote watched entities for tenant "${first}" and then for tenant "${second}". Use a transaction for each tenant.`,
      { first, second },
    );
  }
}
