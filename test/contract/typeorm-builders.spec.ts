// Capture relies on protected members of TypeORM's builders and runners. An upgrade that moves one fails here, with its
// name, and not in somebody's production.
import { DataSource } from 'typeorm';
import { writeBuildersOf } from '../../libs/sandbox/src/producer/capture/write-builder.js';
import { Item, Part } from '../e2e/capture.entities.js';

describe('TypeORM has what capture relies on', () => {
  let dataSource: DataSource;
  beforeAll(async () => {
    dataSource = new DataSource({ type: 'postgres', url: process.env['TEST_DATABASE_URL'], entities: [Item, Part] });
    await dataSource.initialize();
  });
  afterAll(() => dataSource.destroy());

  const members = [
    'execute',
    'escape',
    'getParameters',
    'getQueryAndParameters',
    'createReturningExpression',
    'createWhereExpression',
    'getMainTableName',
    'getTableName',
    'replacePropertyNamesForTheWholeQuery',
  ] as const;

  it.each(members)('every write builder: %s', (member) => {
    expect(writeBuildersOf(dataSource).map((prototype) => typeof prototype[member])).toEqual(
      Array.from({ length: 4 }, () => 'function'),
    );
  });

  it('four different write builders, of which the one that inserts tells its rows', () => {
    const prototypes = writeBuildersOf(dataSource);
    expect(new Set(prototypes).size).toBe(4);
    expect(typeof prototypes[0]?.getValueSets).toBe('function');
  });

  it('the expression map: kind of statement, entity, conflict columns', () => {
    const { expressionMap } = dataSource.createQueryBuilder().insert().into(Item).values({}).orUpdate(['name'], ['id']);
    expect(expressionMap).toMatchObject({
      queryType: 'insert',
      onUpdate: { conflict: ['id'] },
      commonTableExpressions: [],
    });
    expect(expressionMap.mainAlias?.metadata).toBe(dataSource.getMetadata(Item));
    expect(dataSource.createQueryBuilder().softDelete().from(Item).expressionMap.queryType).toBe('soft-delete');
    expect(dataSource.createQueryBuilder().restore().from(Item).expressionMap.queryType).toBe('restore');
  });

  it('the runner: depth of the transaction, connection, pool', async () => {
    const runner = dataSource.createQueryRunner();
    const inner = runner as unknown as { transactionDepth: number; databaseConnection: object };
    await runner.startTransaction();
    await runner.startTransaction();
    expect(inner.transactionDepth).toBe(2);
    expect(inner.databaseConnection).toBe(await runner.connect());
    expect(inner.databaseConnection).toHaveProperty('pipeline', false);
    await runner.rollbackTransaction();
    await runner.rollbackTransaction();
    await runner.release();
    expect(dataSource.driver).toMatchObject({ version: expect.stringMatching(/^\d+/), master: { totalCount: 1 } });
  });
});
