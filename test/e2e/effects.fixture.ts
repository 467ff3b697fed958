// Entities with every kind of column and relation, and one tenant's database to read and write them in.
import { randomBytes, randomUUID } from 'node:crypto';
import {
  Column,
  CreateDateColumn,
  DeleteDateColumn,
  Entity,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  Unique,
  UpdateDateColumn,
  VersionColumn,
} from 'typeorm';
import { v7 as uuidv7 } from 'uuid';
import type { Change, Operation } from '../../libs/sandbox/src/protocol/change.js';
import { insertActions } from '../../libs/sandbox/src/records/action.statements.js';
import type { ScriptCompiler } from '../../libs/sandbox/src/scripts/compiler/script-compiler.js';
import type { ScriptVersion } from '../../libs/sandbox/src/scripts/script.js';
import type { TriggerIndex } from '../../libs/sandbox/src/scripts/script-registry.js';
import { ScriptAccess } from '../../libs/sandbox/src/scripts/script-access.decorator.js';
import { ScriptTrigger } from '../../libs/sandbox/src/scripts/script-trigger.decorator.js';
import { databasePerTenant } from '../../libs/sandbox/src/tenancy/database-per-tenant.js';
import { migrate } from '../../libs/sandbox/src/records/migrator.js';
import type { Tenancy, TenantLease } from '../../libs/sandbox/src/tenancy/tenancy.js';
import { createDatabase } from '../support/postgres.mjs';

export class Address {
  @Column('text', { nullable: true })
  city: string | null;

  @Column('text', { nullable: true })
  street: string | null;
}

@Entity('customer')
@Unique('customer_email_once', ['email'])
@ScriptTrigger({ on: ['create', 'update', 'delete'] })
@ScriptAccess({ read: true, write: true })
export class Customer {
  @PrimaryGeneratedColumn('uuid')
  id: string;

  @Column('text')
  name: string;

  @Column('text', { name: 'e_mail', nullable: true })
  email: string | null;

  @Column('text', { nullable: true })
  country: string | null;

  @Column('boolean', { default: false })
  vip: boolean;

  @Column('numeric', { name: 'order_total', precision: 12, scale: 2, default: 0 })
  orderTotal: string;

  @Column('bigint', { nullable: true })
  credit: string | null;

  @Column('simple-array', { nullable: true })
  tags: string[] | null;

  @Column('jsonb', { nullable: true })
  meta: unknown;

  @Column('text', { nullable: true, select: false })
  secret: string | null;

  @Column(() => Address)
  address: Address;

  @VersionColumn()
  version: number;

  @CreateDateColumn({ type: 'timestamptz' })
  createdAt: Date;

  @UpdateDateColumn({ type: 'timestamptz' })
  updatedAt: Date;

  @DeleteDateColumn({ type: 'timestamptz', nullable: true })
  deletedAt: Date | null;

  @OneToMany(() => Order, (order) => order.customer)
  orders: Order[];

  @OneToMany(() => Ledger, (ledger) => ledger.customer)
  ledgers: Ledger[];
}

@Entity('order')
@ScriptTrigger({ on: ['create', 'update', 'delete'] })
@ScriptAccess({
  read: true,
  write: ['amount', 'quantity', 'status', 'customerId', 'placedOn', 'sentAt', 'at', 'photo', 'ratio'],
})
export class Order {
  @PrimaryGeneratedColumn()
  id: number;

  @Column('numeric', { precision: 12, scale: 2, default: 0 })
  amount: string;

  @Column('int', { default: 1 })
  quantity: number;

  @Column('double precision', { nullable: true })
  ratio: number | null;

  @Column('enum', { enum: ['open', 'paid', 'void'], default: 'open' })
  status: string;

  @Column('date', { nullable: true })
  placedOn: string | null;

  @Column('timestamptz', { nullable: true })
  sentAt: Date | null;

  @Column('time', { nullable: true })
  at: string | null;

  @Column('bytea', { nullable: true })
  photo: Buffer | null;

  @Column('text', { nullable: true })
  internalNote: string | null;

  @Column('uuid', { nullable: true })
  customerId: string | null;

  @ManyToOne(() => Customer, (customer) => customer.orders, { nullable: true })
  @JoinColumn({ name: 'customerId' })
  customer: Customer | null;

  @ManyToMany(() => Product, (product) => product.orders)
  @JoinTable()
  products: Product[];
}

@Entity('product')
@ScriptAccess({ read: ['sku', 'price'] })
export class Product {
  @PrimaryColumn('text')
  sku: string;

  @Column('numeric')
  price: string;

  @Column('numeric', { nullable: true })
  cost: string | null;

  @ManyToMany(() => Order, (order) => order.products)
  orders: Order[];
}

/** Not for scripts. */
@Entity('ledger')
export class Ledger {
  @PrimaryGeneratedColumn()
  id: number;

  @Column('text')
  text: string;

  @ManyToOne(() => Customer, (customer) => customer.ledgers)
  customer: Customer;
}

/** Fires scripts, but they may neither read nor write it through the bridge. */
@Entity('signal')
@ScriptTrigger({ on: ['create'] })
export class Signal {
  @PrimaryGeneratedColumn()
  id: number;
}

/** A composite key. */
@Entity('stock')
@ScriptTrigger({ on: ['update'] })
@ScriptAccess({ read: true, write: true })
export class Stock {
  @PrimaryColumn('text')
  place: string;

  @PrimaryColumn('int')
  shelf: number;

  @Column('int', { default: 0 })
  count: number;
}

export const ENTITIES = [Customer, Order, Product, Ledger, Signal, Stock];

/** A script as a run needs it, compiled from its source. */
export async function scriptVersion(
  compiler: ScriptCompiler,
  source: string,
  more: Partial<ScriptVersion> = {},
): Promise<ScriptVersion> {
  const compiled = await compiler.compile({ source, language: 'javascript', engine: 'quickjs' });
  if (!compiled.ok) throw new Error(compiled.error.message);
  return {
    scriptId: randomUUID(),
    name: 'under-test',
    version: 1,
    enabled: true,
    entity: 'order',
    on: ['create'],
    language: 'javascript',
    source,
    compiled: compiled.script,
    ...more,
  };
}

/** The scripts in force, as a list. */
export function triggerIndex(tenantId: string, scripts: readonly ScriptVersion[]): TriggerIndex {
  const heard = (entity: string, operation?: Operation) =>
    scripts.filter((s) => s.entity === entity && (operation === undefined || s.on.includes(operation)));
  return {
    tenantId,
    revision: 1,
    changedAt: 0,
    scripts,
    listens: (entity, operation) => heard(entity, operation).length > 0,
    match: ({ entity, operation }) => heard(entity, operation),
    script: (id) => scripts.find((s) => s.scriptId === id),
  };
}

/** Writes an action for a script, as capture would, and returns its id. */
export async function insertAction(
  lease: TenantLease,
  script: ScriptVersion,
  change: Change,
  depth = 0,
): Promise<string> {
  const id = uuidv7();
  const { scriptId, name: scriptName, version } = script;
  const action = { id, scriptId, scriptName, scriptVersion: version, change, userId: 'u1', depth, parentId: null };
  // insertActions writes nothing in a transaction that has written nothing
  await lease.sql.transaction([
    { text: 'create temporary table if not exists touched (x int)' },
    { text: 'insert into touched values (1)' },
    insertActions([{ ...action, origin: 'app', status: 'pending' }]),
  ]);
  return id;
}

/** One tenant with a database of its own. */
export interface EffectsFixture {
  readonly tenantId: string;
  readonly tenancy: Tenancy;
  readonly lease: TenantLease;
  /** Empties every table. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export async function openEffectsFixture(): Promise<EffectsFixture> {
  const tenantId = `fx${randomBytes(5).toString('hex')}`;
  const url = await createDatabase(process.env['TEST_DATABASE_URL'] as string, `effects_${tenantId}`);
  const tenancy = databasePerTenant({
    tenants: [tenantId],
    dataSource: () => ({ type: 'postgres', url, entities: ENTITIES, synchronize: true, poolSize: 8 }),
  });
  tenancy.onOpen(({ sql }) => migrate(sql));
  const lease = await tenancy.lease(tenantId);
  const tables = ['customer', '"order"', 'order_products_product', 'product', 'ledger', 'signal', 'stock'];
  const own = ['sandbox_action', 'sandbox_execution', 'sandbox_email'];
  return {
    tenantId,
    tenancy,
    lease,
    reset: async () =>
      void (await lease.sql.query({ text: `truncate ${[...tables, ...own].join(', ')} restart identity` })),
    close: async () => {
      lease.release();
      await tenancy.close();
    },
  };
}
