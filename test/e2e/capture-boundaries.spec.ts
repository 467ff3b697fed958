// What capture cannot see is said, at boot or at run time; what cannot be watched is refused with a reason.
import { Logger } from '@nestjs/common';
import {
  Column,
  DataSource,
  DeleteDateColumn,
  Entity,
  ManyToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  Tree,
  TreeChildren,
  TreeParent,
  ViewColumn,
  ViewEntity,
  type Relation,
} from 'typeorm';
import { onInitialize } from '../../libs/sandbox/src/producer/capture/on-initialize.js';
import { ScriptTrigger, triggerTargets } from '../../libs/sandbox/src/scripts/script-trigger.decorator.js';
import { SandboxContext } from '../../libs/sandbox/src/tenancy/sandbox-context.js';
import { openFixture, type Fixture } from '../support/capture-fixture.js';
import { Item, Note, Part } from './capture.entities.js';

@Entity()
@ScriptTrigger({ on: ['create', 'update', 'delete'] })
class Owner {
  @PrimaryGeneratedColumn()
  id: number;
  @DeleteDateColumn()
  deletedAt: Date | null;
}

@Entity()
@ScriptTrigger({ on: ['create', 'delete'] })
class Owned {
  @PrimaryGeneratedColumn()
  id: number;
  @ManyToOne(() => Owner, { onDelete: 'CASCADE' })
  owner: Relation<Owner>;
}

@Entity()
@Tree('materialized-path')
@ScriptTrigger({ on: ['create', 'update', 'delete'] })
class Folder {
  @PrimaryGeneratedColumn()
  id: number;
  @Column('text')
  name: string;
  @TreeParent()
  parent: Relation<Folder> | null;
  @TreeChildren()
  children: Relation<Folder[]>;
}

@Entity()
@Tree('nested-set')
@ScriptTrigger({ on: ['create', 'update'] })
class Nested {
  @PrimaryGeneratedColumn()
  id: number;
  @TreeParent()
  parent: Relation<Nested> | null;
  @TreeChildren()
  children: Relation<Nested[]>;
}

@ViewEntity({ expression: 'select 1 as one' })
@ScriptTrigger({ on: ['create'] })
class Keyless {
  @ViewColumn()
  one: number;
}

@Entity('twin_a')
@ScriptTrigger({ on: ['create'], name: 'twin' })
class TwinA {
  @PrimaryColumn()
  id: number;
}

@Entity('twin_b')
@ScriptTrigger({ on: ['create'], name: 'twin' })
class TwinB {
  @PrimaryColumn()
  id: number;
}

describe('what capture cannot see', () => {
  let f: Fixture;
  const warnings: string[] = [];
  const missed: string[] = [];

  beforeAll(async () => {
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((message) => void warnings.push(String(message)));
    f = await openFixture(
      [Item, Part, Note, Owner, Owned, Folder, Nested],
      ['item:create', 'item:update', 'item:delete', 'owned:delete', 'folder:create', 'folder:update', 'nested:update'],
    );
    f.events.on('capture.missed', ({ tenantId, sql }) => void missed.push(`${tenantId}: ${sql}`));
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    await f.close();
  });
  beforeEach(async () => {
    await f.reset();
    missed.length = 0;
  });

  it.each([
    ['raw SQL', `insert into item (name, version) values ('raw', 1)`],
    ['raw SQL with quotes, schema and comment', `update only "public"."item" set name = 'x' where id = -1`],
    ['a CTE', `with moved as (update item set qty = 1 where id = -1 returning *) select * from moved`],
    ['a raw delete', 'DELETE FROM item WHERE id = -1'],
    ['a MERGE', `merge into item using (values (1)) v (x) on false when matched then do nothing`],
  ])('%s is reported', async (_, sql) => {
    await f.dataSource.query(sql);
    expect(missed).toEqual([`acme: ${sql}`]);
  });

  it('clear() is reported', async () => {
    await f.dataSource.query('truncate table item cascade');
    await f.dataSource
      .getRepository(Folder)
      .clear()
      .catch(() => undefined);
    expect(missed.map((text) => text.toLowerCase().replaceAll('"', ''))).toEqual([
      'acme: truncate table item cascade',
      'acme: truncate table folder',
    ]);
  });

  it('stays silent about what is captured, read, or watched by nobody', async () => {
    const items = f.dataSource.getRepository(Item);
    const saved = await items.save([{ name: 'a' }, { name: 'b', parts: [{ label: 'p' }] as Part[] }]);
    await Promise.all(saved.map((item) => items.update(item.id, { name: 'c' })));
    await items.increment({ name: 'c' }, 'qty', 1);
    await items.createQueryBuilder().delete().where({ name: 'nobody' }).callListeners(false).execute();
    await f.dataSource.query('select * from item for update');
    await f.dataSource.query(`insert into note (text) values ('update item set')`);
    await f.dataSource.query(`insert into part (label) values ('raw, but no script listens')`);
    expect(missed).toEqual([]);
  });

  it('cascades inside the database are warned about at boot, with the remedy', async () => {
    expect(warnings.filter((text) => text.includes('Owned'))).toEqual([
      expect.stringMatching(/onDelete: 'CASCADE' on "owner".*fires no script.*cascade: \['remove'\]/),
    ]);
    const owner = await f.dataSource.getRepository(Owner).save({});
    await f.dataSource.getRepository(Owned).save({ owner });
    await f.reset();
    await f.dataSource.getRepository(Owner).delete(owner.id);
    expect(await f.actions()).toEqual([]);
  });

  it('trees that TypeORM moves with SQL of its own are warned about, and their moves reported', async () => {
    expect(warnings.filter((text) => text.includes('nested-set tree'))).toHaveLength(1);
    const root = await f.dataSource.getRepository(Nested).save({});
    await f.dataSource.getRepository(Nested).save({ parent: root });
    expect(missed.some((text) => /UPDATE "nested"/.test(text))).toBe(true);
  });

  it('the path that TypeORM writes into a new node of a tree is no update', async () => {
    const root = await f.dataSource.getRepository(Folder).save({ name: 'root' });
    await f.dataSource.getRepository(Folder).save({ name: 'leaf', parent: root });
    expect((await f.actions()).map(({ operation }) => operation)).toEqual(['create', 'create']);
  });

  it('warns once, however many tenants share the entities', async () => {
    const before = warnings.length;
    const second = await openFixture([Owner, Owned], []);
    await second.close();
    expect(warnings).toHaveLength(before);
  });
});

describe('what cannot be watched', () => {
  it.each([
    ['an entity without a primary key', [Keyless], 'SANDBOX_ENTITY_WITHOUT_KEY'],
    ['two entities of one name', [TwinA, TwinB], 'SANDBOX_DUPLICATE_TRIGGER_NAME'],
  ])('%s is refused when the database is opened', async (_, entities, code) => {
    await expect(openFixture(entities, [])).rejects.toMatchObject({ code });
  });
});

describe('a class with @ScriptTrigger that is no entity', () => {
  it('is refused when a database is opened', async () => {
    class Stray {}
    ScriptTrigger({ on: ['create'] })(Stray);
    const opening = openFixture([Item, Part], []);
    await expect(opening).rejects.toMatchObject({
      code: 'SANDBOX_TRIGGER_ON_NON_ENTITY',
      details: { className: 'Stray' },
    });
    (triggerTargets() as Set<Function>).delete(Stray);
  });

  it('may be the base of entities', async () => {
    class Base {}
    ScriptTrigger({ on: ['create'] })(Base);
    @Entity('derived')
    class Derived extends Base {
      @PrimaryColumn()
      id: number;
    }
    const fixture = await openFixture([Derived], ['derived:create']);
    await fixture.dataSource.getRepository(Derived).insert({ id: 4 });
    expect(await fixture.actions()).toMatchObject([{ entity: 'derived', record_id: '4' }]);
    await fixture.close();
    (triggerTargets() as Set<Function>).delete(Base);
  });
});

describe('a DataSource of the host', () => {
  let f: Fixture;
  let host: DataSource;

  beforeAll(async () => {
    f = await openFixture([Item, Part], ['item:create']);
    host = new DataSource({ type: 'postgres', url: f.url, entities: [Item, Part] });
    const stop = onInitialize((dataSource) => f.capture.attach(dataSource));
    await host.initialize();
    stop();
  });
  afterAll(async () => {
    await host.destroy();
    await f.close();
  });

  it('is watched once it is initialised, for the tenant of the context', async () => {
    await SandboxContext.run({ tenantId: 'globex', userId: 'u' }, () => host.getRepository(Item).save({ name: 'a' }));
    await f.dispatcher.idle();
    expect(f.queue.jobs).toMatchObject([{ tenantId: 'globex', job: { job: { userId: 'u' } } }]);
  });

  it('refuses a write of a watched entity that belongs to no tenant, and undoes the rest', async () => {
    const doomed = host.transaction(async (manager) => {
      await SandboxContext.run({ tenantId: 'acme' }, () => manager.save(Item, { name: 'first' }));
      await manager.save(Item, { name: 'second' });
    });
    await expect(doomed).rejects.toMatchObject({ code: 'SANDBOX_WRITE_WITHOUT_TENANT' });
    expect(await host.getRepository(Item).countBy({ name: 'first' })).toBe(0);
  });

  it('refuses one transaction of two tenants', async () => {
    const doomed = host.transaction(async (manager) => {
      await SandboxContext.run({ tenantId: 'acme' }, () => manager.save(Item, { name: 'x' }));
      await SandboxContext.run({ tenantId: 'globex' }, () => manager.save(Item, { name: 'y' }));
    });
    await expect(doomed).rejects.toMatchObject({ code: 'SANDBOX_TRANSACTION_OF_TWO_TENANTS' });
  });
});
