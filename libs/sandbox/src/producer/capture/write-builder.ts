import type { DataSource, EntityMetadata, ObjectLiteral, QueryRunner } from 'typeorm';

/**
 * The four builders through which TypeORM makes every write it knows of, with the members that capture relies on. Most
 * are protected: the same in TypeORM 0.3.20 to 1.1, held to by `test/contract/typeorm-builders.spec.ts`.
 */
export interface WriteBuilder {
  readonly expressionMap: {
    readonly queryType: 'select' | 'insert' | 'update' | 'delete' | 'soft-delete' | 'restore';
    readonly mainAlias?: { readonly hasMetadata: boolean; readonly metadata: EntityMetadata };
    readonly onUpdate?: { readonly conflict?: string | readonly string[] };
    readonly onIgnore?: unknown;
    readonly commonTableExpressions: readonly unknown[];
  };
  readonly dataSource?: DataSource;
  /** The DataSource in TypeORM 0.3. */
  readonly connection: DataSource;
  queryRunner?: QueryRunner;
  execute: () => Promise<{ raw: unknown }>;
  escape(name: string): string;
  getParameters(): ObjectLiteral;
  getQueryAndParameters: () => [string, unknown[]];
  createReturningExpression: (type: string) => string;
  createWhereExpression(): string;
  /** The rows to be inserted, as the caller gave them. */
  getValueSets(): ObjectLiteral[];
  getMainTableName(): string;
  getTableName(path: string): string;
  replacePropertyNamesForTheWholeQuery(sql: string): string;
}

/** The prototypes of the four, of the very copy of TypeORM that made the DataSource. */
export function writeBuildersOf(dataSource: DataSource): readonly WriteBuilder[] {
  const make = () => dataSource.createQueryBuilder();
  return [make().insert(), make().update(), make().delete(), make().softDelete()].map(
    (builder) => Object.getPrototypeOf(builder) as WriteBuilder,
  );
}

/** The DataSource a builder works on. */
export function dataSourceOf(builder: WriteBuilder): DataSource {
  return builder.dataSource ?? builder.connection;
}
