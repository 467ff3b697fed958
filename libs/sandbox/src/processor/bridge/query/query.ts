/** Compares a field: a value means `eq`, null means `isNull: true`. */
export type Condition =
  | string
  | number
  | boolean
  | null
  | {
      readonly eq?: unknown;
      /** Also true of rows where the field is null. */
      readonly ne?: unknown;
      readonly gt?: unknown;
      readonly gte?: unknown;
      readonly lt?: unknown;
      readonly lte?: unknown;
      readonly in?: readonly unknown[];
      /** Also true of rows where the field is null. */
      readonly notIn?: readonly unknown[];
      /** `%` and `_` as in SQL. */
      readonly like?: string;
      readonly startsWith?: string;
      readonly endsWith?: string;
      readonly contains?: string;
      /** Both ends included. */
      readonly between?: readonly [unknown, unknown];
      readonly isNull?: boolean;
    };

/**
 * Conditions that must all hold. A key is a field (`address.city` or nested), a relation (some related row satisfies the
 * nested conditions), or `and`, `or`, `not`.
 */
export interface Where {
  readonly [key: string]: unknown;
  readonly and?: Where | readonly Where[];
  readonly or?: readonly Where[];
  /** Also true where the conditions compare with null. */
  readonly not?: Where | readonly Where[];
}

/** Related records to bring along: under the relation's name a record or null, or an array for to-many relations. */
export interface Include {
  readonly select?: readonly string[];
  readonly where?: Where;
  readonly include?: Includes;
  readonly orderBy?: OrderBy;
  /** Most related records of one row. */
  readonly limit?: number;
}

/** `['customer']`, or `{ customer: true, lines: { select: ['amount'] } }`. */
export type Includes = readonly string[] | { readonly [relation: string]: true | Include };

/** `'amount'`, `'-amount'`, `{ amount: 'desc' }`, `{ field: 'amount', dir: 'desc' }`, or an array of those. */
export type OrderBy =
  string | { readonly [field: string]: string } | readonly (string | { readonly [field: string]: string })[];

/** What `aggregate` takes. */
export interface Aggregate {
  readonly count?: true;
  readonly sum?: readonly string[];
  readonly avg?: readonly string[];
  readonly min?: readonly string[];
  readonly max?: readonly string[];
}

/** What `context.query` takes. */
export interface Query {
  /** The trigger name of the entity, `order`. */
  readonly entity: string;
  /** Default: every field that scripts may read. */
  readonly select?: readonly string[];
  readonly where?: Where;
  readonly include?: Includes;
  /** The primary key is always the last criterion. */
  readonly orderBy?: OrderBy;
  /** Default: none; a run that reads past `limits.rowsRead` ends, so that no answer is cut short unseen. */
  readonly limit?: number;
  readonly offset?: number;
  readonly aggregate?: Aggregate;
  /** Fields; only with `aggregate`. */
  readonly groupBy?: readonly string[];
}
