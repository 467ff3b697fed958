import ts from 'typescript';
import { Column, DataSource, Entity, ManyToOne, OneToMany, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm';
import { EntityCatalog } from './entity-catalog.js';
import { ScriptAccess } from './script-access.decorator.js';
import { ScriptTrigger } from './script-trigger.decorator.js';
import { scriptTypes } from './script-types.js';

class Address {
  @Column('text', { nullable: true })
  city: string | null;
}

@Entity()
@ScriptTrigger({ on: ['create'] })
@ScriptAccess({ read: true, write: ['orderTotal', 'state'] })
class Customer {
  @PrimaryGeneratedColumn('uuid')
  id: string;

  @Column('text')
  name: string;

  @Column('numeric')
  orderTotal: string;

  @Column({ type: 'enum', enum: ['new', 'old'] })
  state: string;

  @Column('text', { select: false })
  secret: string;

  @Column(() => Address)
  address: Address;

  @OneToMany(() => Order, (order) => order.customer)
  orders: Order[];
}

@Entity()
@ScriptTrigger({ on: ['create', 'update'] })
@ScriptAccess({ read: ['number', 'amount', 'customerId', 'extra', 'paid'] })
class Order {
  @PrimaryColumn('int')
  number: number;

  @Column('numeric')
  amount: string;

  @Column('jsonb')
  extra: object;

  @Column('boolean')
  paid: boolean;

  @ManyToOne(() => Customer, (customer) => customer.orders)
  customer: Customer;
}

let declarations: (entity?: string) => string;
beforeAll(async () => {
  const dataSource = new DataSource({ type: 'postgres', entities: [Customer, Order] });
  await (dataSource as unknown as { buildMetadatas(): Promise<void> }).buildMetadatas();
  const catalog = EntityCatalog.of(dataSource);
  declarations = (entity) =>
    scriptTypes(catalog, {
      methods: ['inventory.reserve', 'inventory.free', 'odd-name.go'],
      ...(entity ? { entity } : {}),
    });
});

/** What `tsc --strict` says about a script. */
function problems(script: string, entity?: string): string[] {
  const files: Record<string, string> = { 'types.d.ts': declarations(entity), 'script.ts': script };
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2023,
    lib: ['lib.es2023.d.ts'],
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const getSourceFile = host.getSourceFile.bind(host);
  host.getSourceFile = (name, languageVersion) =>
    name in files
      ? ts.createSourceFile(name, files[name] as string, languageVersion)
      : getSourceFile(name, languageVersion);
  const program = ts.createProgram(Object.keys(files), options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('scriptTypes', () => {
  it('compiles under strict, with everything a script may do', () => {
    const script = `
      if (context.entity === 'order') {
        const amount: string = context.record.amount;
        const paid: boolean | undefined = context.prevRecord.paid;
        const id: string = context.record.id;
      }
      const rows = context.query({ entity: 'customer', where: {
        name: { startsWith: 'A' }, orderTotal: { gte: 100 }, address: { city: null }, state: 'new',
        orders: { amount: { between: ['1', 2] } }, or: [{ name: 'x' }, { not: { state: { in: ['old'] } } }],
      }, orderBy: ['-name', { orderTotal: 'desc' }], limit: 5 });
      const city: string | null | undefined = rows[0]?.address.city;
      const picked = context.query({ entity: 'customer', select: ['id', 'address.city'], include: ['orders'] });
      const of: string | undefined = picked[0]?.orders[0]?.amount;
      const where: string | null | undefined = picked[0]?.address.city;
      const withCustomer = context.retrieveMultiple({ entity: 'order', include: { customer: { select: ['name'] } } });
      const name: string | undefined = withCustomer[0]?.customer?.name;
      const [sums] = context.query({ entity: 'order', aggregate: { count: true, sum: ['amount'] }, groupBy: ['paid'] });
      setResult(sums.count);
      context.execute([{ op: 'update', entity: 'customer', id: 'x', values: { state: 'old' }, increment: { orderTotal: '1' } }]);
      context.execute({ op: 'delete', entity: 'customer', id: 'x' });
      context.sendEmail({ to: ['a@b.c'], subject: 's', text: 't' });
      context.sendEmail('a@b.c', null, null, 's', 't');
      log(context.inventory.reserve({ sku: 1 }), context['odd-name'].go(), context.limits.cpuMs > 10, context.orgName);
      console.warn(context.userId?.length);
      if (context.changed.includes('amount')) throw new RetryLater('later', { afterMs: 5_000 });
    `;
    expect(problems(script)).toEqual([]);
  });

  it('narrows the context to one entity', () => {
    expect(problems('const amount: string = context.record.amount;', 'order')).toEqual([]);
    expect(problems('const amount: string = context.record.amount;').join()).toMatch(/'amount' does not exist/);
  });

  it.each([
    [`context.query({ entity: 'invoice' })`, /"invoice"|not assignable/],
    [`context.query({ entity: 'customer', where: { nam: 'x' } })`, /'nam' does not exist/],
    [`context.query({ entity: 'customer', where: { secret: 'x' } })`, /'secret' does not exist/],
    [`context.query({ entity: 'customer', where: { name: { more: 1 } } })`, /'more' does not exist/],
    [`context.query({ entity: 'customer', select: ['secret'] })`, /"secret"/],
    [`context.query({ entity: 'customer', select: ['id'] })[0]!.name`, /'name' does not exist/],
    [`context.execute([{ op: 'update', entity: 'customer', id: 1, values: { name: 'x' } }])`, /'name' does not exist/],
    [`context.execute([{ op: 'update', entity: 'order', id: 1, values: {} }])`, /"order"/],
    [`context.execute([{ op: 'update', entity: 'customer', id: 1, values: { state: 'odd' } }])`, /"odd"/],
    [`context.warehouse.reserve()`, /'warehouse' does not exist/],
    [`fetch('x')`, /Cannot find name 'fetch'/],
    [`process.exit()`, /Cannot find name 'process'/],
  ])('refuses %s', (script, message) => {
    expect(problems(script).join('\n')).toMatch(message);
  });

  it('compiles where scripts know nothing', async () => {
    const empty = new DataSource({ type: 'postgres', entities: [] });
    await (empty as unknown as { buildMetadatas(): Promise<void> }).buildMetadatas();
    declarations = () => scriptTypes(EntityCatalog.of(empty));
    expect(problems('log(1)')).toEqual([]);
  });
});
