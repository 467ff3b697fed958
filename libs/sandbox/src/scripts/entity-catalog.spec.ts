import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { EntityCatalog } from './entity-catalog.js';
import { ScriptAccess } from './script-access.decorator.js';
import { ScriptTrigger } from './script-trigger.decorator.js';

abstract class Base {
  @PrimaryGeneratedColumn('uuid')
  id: string;
}

@Entity()
@ScriptAccess({ read: true, write: ['grosss'] })
class Misspelt extends Base {
  @Column('numeric')
  gross: string;
}

@ScriptAccess({ read: ['name', 'length'] })
abstract class Named extends Base {
  @Column('text')
  name: string;
}

@Entity()
class Road extends Named {
  @Column('int')
  length: number;
}

@Entity()
class Town extends Named {}

async function catalogOf(...entities: Function[]): Promise<EntityCatalog> {
  const dataSource = new DataSource({ type: 'postgres', entities });
  await (dataSource as unknown as { buildMetadatas(): Promise<void> }).buildMetadatas();
  return EntityCatalog.of(dataSource);
}

it('refuses @ScriptAccess to a column that does not exist, and names those that do', async () => {
  await expect(catalogOf(Misspelt)).rejects.toMatchObject({
    code: 'SANDBOX_INVALID_DECORATOR',
    message: expect.stringContaining(
      '@ScriptAccess on Misspelt: option "write" cannot be "grosss": there is no such column; there are id, gross',
    ),
  });
});

it('lets entities inherit access to columns that only some of them have', async () => {
  const catalog = await catalogOf(Road, Town);
  const readable = (name: string) =>
    catalog.get(name)?.fields.flatMap(({ name, readable }) => (readable ? [name] : []));
  expect(readable('road')?.toSorted()).toEqual(['id', 'length', 'name']);
  expect(readable('town')?.toSorted()).toEqual(['id', 'name']);
});

it('says an operation that @ScriptTrigger does not know as it was written', () => {
  const decorate = () => ScriptTrigger({ on: ['created' as never] })(class Note {});
  expect(decorate).toThrow('@ScriptTrigger on Note: option "on" cannot be "created": use create, update, delete.');
});
