// What the specs of scripts and of the admin API share: two entities, tenants with databases of their own, and any number
// of "processes": module instances that share the databases and the queue, and nothing else.
import { randomBytes } from 'node:crypto';
import { Global, Module, type ModuleMetadata, type Provider } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { ActionsModule } from '../../libs/sandbox/src/actions/actions.module.js';
import { ACTION_DISPATCHER, type ActionDispatcher } from '../../libs/sandbox/src/queue/action-dispatcher.js';
import { QUEUE_BACKEND } from '../../libs/sandbox/src/queue/queue-backend.js';
import { createRedisQueueBackend } from '../../libs/sandbox/src/queue/redis/redis-queue-backend.js';
import { SandboxEvents } from '../../libs/sandbox/src/events/sandbox-events.js';
import type { NewAction } from '../../libs/sandbox/src/records/action.record.js';
import { SANDBOX_OPTIONS, type SandboxModuleOptions } from '../../libs/sandbox/src/sandbox.options.js';
import { resolveOptions } from '../../libs/sandbox/src/sandbox.options.resolve.js';
import type { DeployRequest } from '../../libs/sandbox/src/scripts/deploy-request.js';
import { createScriptCompiler } from '../../libs/sandbox/src/scripts/compiler/compiler.js';
import { SCRIPT_COMPILER } from '../../libs/sandbox/src/scripts/compiler/script-compiler.js';
import { ScriptAccess } from '../../libs/sandbox/src/scripts/script-access.decorator.js';
import { ScriptTrigger } from '../../libs/sandbox/src/scripts/script-trigger.decorator.js';
import {
  SCRIPT_REGISTRY,
  type ScriptRegistry,
  type TriggerIndex,
} from '../../libs/sandbox/src/scripts/script-registry.js';
import { ScriptsModule } from '../../libs/sandbox/src/scripts/scripts.module.js';
import { databasePerTenant } from '../../libs/sandbox/src/tenancy/database-per-tenant.js';
import { TENANCY, type Tenancy } from '../../libs/sandbox/src/tenancy/tenancy.js';
import { TenancyModule } from '../../libs/sandbox/src/tenancy/tenancy.module.js';
import { createDatabase } from '../support/postgres.mjs';

@Entity('sales_order')
@ScriptTrigger({ on: ['create', 'update'], name: 'order' })
@ScriptAccess({ read: true, write: ['status'] })
export class SalesOrder {
  @PrimaryGeneratedColumn()
  id: number;

  @Column('text', { default: 'open' })
  status: string;

  @Column('numeric', { default: 0 })
  amount: string;
}

@Entity('note')
@ScriptAccess({ read: true })
export class Note {
  @PrimaryGeneratedColumn('uuid')
  id: string;

  @Column('text')
  text: string;
}

/** One module instance. */
export interface Instance {
  readonly module: TestingModule;
  readonly tenancy: Tenancy;
  readonly events: SandboxEvents;
  /** Actions that were handed to the dispatcher. */
  readonly dispatched: NewAction[];
}

/** What an instance may have besides. */
export interface InstanceOptions {
  readonly options?: Partial<SandboxModuleOptions>;
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  /** Provided globally, over the fixture's own. */
  readonly providers?: readonly Provider[];
}

/** Databases and a queue prefix of a spec's own. */
export class Fixture {
  readonly prefix = `t${randomBytes(5).toString('hex')}`;
  private readonly urls = new Map<string, string>();
  private readonly cleanups: (() => Promise<void>)[] = [];

  constructor(readonly tenants: readonly string[] = ['acme', 'globex']) {}

  async start(): Promise<void> {
    for (const tenant of this.tenants) {
      const url = await createDatabase(process.env.TEST_DATABASE_URL as string, `${this.prefix}_${tenant}`);
      this.urls.set(tenant, url as string);
    }
  }

  async instance(given: InstanceOptions = {}): Promise<Instance> {
    const tenancy = databasePerTenant({
      tenants: this.tenants,
      dataSource: (tenant) => ({
        type: 'postgres',
        url: this.urls.get(tenant),
        entities: [SalesOrder, Note],
        synchronize: true,
        poolSize: 5,
      }),
    });
    const dispatched: NewAction[] = [];
    const dispatcher: ActionDispatcher = {
      dispatch: (_tenantId, actions) => void dispatched.push(...actions),
      resume: () => Promise.resolve(),
      lineUp: () => Promise.resolve(),
      later: () => Promise.resolve(),
    };
    const backend = createRedisQueueBackend({
      connection: { url: process.env.TEST_REDIS_URL as string },
      prefix: this.prefix,
    });
    await backend.start();
    const events = new SandboxEvents();
    const compiler = createScriptCompiler();
    this.cleanups.push(async () => {
      await compiler.close();
      await backend.close();
    });
    const providers = [
      { provide: TENANCY, useValue: tenancy },
      { provide: SANDBOX_OPTIONS, useValue: resolveOptions({ tenancy, ...given.options }) },
      { provide: QUEUE_BACKEND, useValue: backend },
      { provide: SandboxEvents, useValue: events },
      { provide: SCRIPT_COMPILER, useValue: compiler },
      { provide: ACTION_DISPATCHER, useValue: dispatcher },
      ...(given.providers ?? []),
    ];
    const imports = [globalModule(providers), ...(given.imports ?? [])];
    const module = await Test.createTestingModule({ imports }).compile();
    this.cleanups.push(() => module.close());
    await module.init();
    return { module, tenancy, events, dispatched };
  }

  async stop(): Promise<void> {
    for (const cleanup of this.cleanups.reverse()) await cleanup();
  }
}

function globalModule(providers: Provider[]) {
  const stages = [TenancyModule, ScriptsModule, ActionsModule];
  @Global()
  @Module({ imports: stages, providers, exports: [...providers, ...stages] })
  class GlobalModule {}
  return GlobalModule;
}

/** The instance's registry. */
export const registryOf = (instance: Instance) => instance.module.get<ScriptRegistry>(SCRIPT_REGISTRY);

/** What is in force for the tenant, as the instance knows it. */
export async function loadIn(instance: Instance, tenant = 'acme'): Promise<TriggerIndex> {
  const lease = await instance.tenancy.lease(tenant);
  try {
    return await registryOf(instance).load(lease);
  } finally {
    lease.release();
  }
}

let names = 0;

/** A deploy that is accepted, of a name that no other has. */
export const deployOf = (more: Partial<DeployRequest> = {}): DeployRequest => ({
  name: `script-${++names}`,
  entity: 'order',
  on: ['create'],
  source: 'setResult(1)',
  ...more,
});
