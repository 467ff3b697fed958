/** The part of `types.d.ts` that is the same for everybody; `Rows`, `Records`, ... are generated from the entities. */
export const TYPES_PRELUDE = `/** A decimal or bigint crosses as a string, exact to the last digit; numbers are taken too. */
type Numeric = string | number;

interface Operators<T> {
  readonly eq?: T | null;
  /** Also true of rows where the field is null. */
  readonly ne?: T | null;
  readonly gt?: T;
  readonly gte?: T;
  readonly lt?: T;
  readonly lte?: T;
  readonly in?: readonly (T | null)[];
  /** Also true of rows where the field is null. */
  readonly notIn?: readonly (T | null)[];
  /** \`%\` and \`_\` as in SQL. */
  readonly like?: string;
  readonly startsWith?: string;
  readonly endsWith?: string;
  readonly contains?: string;
  /** Both ends included. */
  readonly between?: readonly [T, T];
  readonly isNull?: boolean;
}
type Condition<T> = T | null | Operators<T>;

type Where<E extends keyof Conditions> = Conditions[E] & {
  readonly and?: Where<E> | readonly Where<E>[];
  readonly or?: readonly Where<E>[];
  readonly not?: Where<E> | readonly Where<E>[];
};

type Field<E extends keyof Fields> = Fields[E] & string;
type TopLevel<F> = F extends \`\${infer Name}.\${string}\` ? Name : F;
type OrderBy<F extends string> = F | \`-\${F}\` | { readonly [K in F]?: 'asc' | 'desc' } | { readonly field: F; readonly dir?: 'asc' | 'desc' };
type Relation<E extends keyof Relations> = keyof Relations[E] & string;
type Include<E extends keyof Relations> =
  | readonly Relation<E>[]
  | { readonly [R in Relation<E>]?: true | { readonly select?: readonly string[]; readonly where?: object; readonly include?: object; readonly orderBy?: unknown; readonly limit?: number } };
type Included<E extends keyof Relations, I> = {
  readonly [R in Relation<E> & (I extends readonly (infer Name)[] ? Name : keyof I)]: Relations[E][R];
};

interface Query<E extends keyof Rows, S, I> {
  readonly entity: E;
  /** Default: every field that scripts may read. */
  readonly select?: S & readonly Field<E>[];
  readonly where?: Where<E>;
  readonly include?: I & Include<E>;
  readonly orderBy?: OrderBy<Field<E>> | readonly OrderBy<Field<E>>[];
  readonly limit?: number;
  readonly offset?: number;
}
type Row<E extends keyof Rows, S, I> = (S extends readonly (infer F)[] ? Pick<Rows[E], keyof Rows[E] & TopLevel<F>> : Rows[E]) & ([I] extends [undefined] ? unknown : Included<E, I>);

interface AggregateQuery<E extends keyof Rows> {
  readonly entity: E;
  readonly where?: Where<E>;
  readonly aggregate: {
    readonly count?: true;
    readonly sum?: readonly Field<E>[];
    readonly avg?: readonly Field<E>[];
    readonly min?: readonly Field<E>[];
    readonly max?: readonly Field<E>[];
  };
  readonly groupBy?: readonly Field<E>[];
  readonly orderBy?: unknown;
  readonly limit?: number;
  readonly offset?: number;
}

interface Read {
  /** Counts, sums, ... over rows. */
  <E extends keyof Rows>(query: AggregateQuery<E>): any[];
  /** Rows. */
  <E extends keyof Rows, const S extends readonly Field<E>[] | undefined = undefined, const I extends Include<E> | undefined = undefined>(query: Query<E, S, I>): Row<E, S, I>[];
}

type Id = string | number | { readonly [key: string]: string | number };
type Request<E extends keyof Values> =
  | { readonly op: 'create'; readonly entity: E; readonly values: Values[E] }
  | { readonly op: 'update'; readonly entity: E; readonly id: Id; readonly values?: Values[E]; readonly increment?: { readonly [F in keyof Values[E]]?: Numeric }; readonly expectedVersion?: number }
  | { readonly op: 'delete'; readonly entity: E; readonly id: Id; readonly expectedVersion?: number };
type Requests = { [E in keyof Values]: Request<E> }[keyof Values];
/** All or nothing. */
type Write = (requests: Requests | readonly Requests[]) => any[];

interface Mail {
  readonly to?: string | readonly string[];
  readonly cc?: string | readonly string[];
  readonly bcc?: string | readonly string[];
  readonly subject?: string;
  readonly text?: string;
  readonly html?: string;
  readonly template?: string;
  readonly data?: object;
}
interface SendEmail {
  (mail: Mail): number;
  (to: string | readonly string[], cc: string | readonly string[] | null, bcc: string | readonly string[] | null, subject: string, body: string): number;
}

/** What happened to a record. */
interface Changed<E extends keyof Records> {
  readonly entity: E;
  readonly operation: 'create' | 'update' | 'delete';
  /** The record as it is now. */
  readonly record: Records[E];
  /** As it was before; \`{}\` for a create. */
  readonly prevRecord: Partial<Records[E]>;
  /** Names of the fields that changed. */
  readonly changed: readonly string[];
}

interface Bridge extends Services {
  /** About the action that asked for this run. */
  readonly action: any;
  readonly userId: string | null;
  readonly tenantId: string;
  readonly orgName: string;
  readonly query: Read;
  readonly retrieveMultiple: Read;
  readonly execute: Write;
  readonly executeMultiple: Write;
  readonly sendEmail: SendEmail;
  /** What is left. */
  readonly limits: Limits;
}
`;
