/** One step of the library's own schema in a tenant's database. Steps are applied in order, once, and never edited. */
export interface Migration {
  readonly id: number;
  readonly name: string;
  readonly sql: string;
}

/**
 * The library's tables in every tenant's database.
 *
 * `sandbox_action.queued_at` and `status` are not indexed on their own: marking an action as queued stays a HOT update.
 * The partial index holds only unfinished actions, so it stays small however long the history grows.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    id: 1,
    name: 'initial',
    sql: `
create table sandbox_script (
  id uuid primary key,
  name text not null unique,
  enabled boolean not null default true,
  current_version integer not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
create table sandbox_script_version (
  script_id uuid not null references sandbox_script (id),
  version integer not null,
  -- entity, on, when, order, engine, limits, retries: what is not source
  definition jsonb not null,
  language text not null,
  source text not null,
  -- CompiledScript
  compiled jsonb not null,
  created_by text,
  created_at timestamptz not null default now(),
  primary key (script_id, version)
);
-- one row: goes up with every deploy, enable, disable, rollback and delete
create table sandbox_revision (
  id boolean primary key default true check (id),
  revision bigint not null default 0
);
insert into sandbox_revision default values;
create table sandbox_action (
  id uuid primary key,
  seq bigint generated always as identity,
  script_id uuid not null,
  script_name text not null,
  script_version integer not null,
  entity text not null,
  operation text not null,
  record_id text not null,
  -- { record, prevRecord, changed }
  change jsonb not null,
  user_id text,
  origin text not null default 'app',
  depth integer not null default 0,
  -- the action whose script made the change
  parent_id uuid,
  trace jsonb,
  -- pending (shown as queued once queued_at is set), running, done, failed, dead, skipped, cancelled
  status text not null default 'pending',
  attempt integer not null default 0,
  created_at timestamptz not null default now(),
  queued_at timestamptz,
  lease_until timestamptz,
  finished_at timestamptz,
  outcome text,
  error jsonb
);
create index sandbox_action_unfinished on sandbox_action (seq) where finished_at is null;
create index sandbox_action_history on sandbox_action (seq desc);
create index sandbox_action_script on sandbox_action (script_id, seq desc);
create table sandbox_execution (
  id uuid primary key,
  action_id uuid not null,
  attempt integer not null,
  script_id uuid not null,
  script_version integer not null,
  outcome text not null,
  value jsonb,
  error jsonb,
  logs jsonb not null default '[]',
  usage jsonb not null,
  started_at timestamptz not null,
  finished_at timestamptz not null default now()
);
create index sandbox_execution_action on sandbox_execution (action_id);
create table sandbox_email (
  id uuid primary key,
  seq bigint generated always as identity,
  action_id uuid,
  script_id uuid,
  message jsonb not null,
  message_id text not null unique,
  status text not null default 'pending',
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  sent_at timestamptz,
  error text
);
create index sandbox_email_unsent on sandbox_email (next_attempt_at) where status = 'pending';
`,
  },
  {
    id: 2,
    name: 'order',
    sql: `
-- the action that has to end before this one may run; see order.statements
alter table sandbox_action add column waits_for uuid;
create index sandbox_action_waits_for on sandbox_action (waits_for) where waits_for is not null;
create index sandbox_action_leased on sandbox_action (lease_until) where lease_until is not null;
`,
  },
  {
    id: 3,
    name: 'backlog',
    sql: `
-- kept out of the queue, which holds enough of the tenant; an action written while there are any is parked behind them
alter table sandbox_action add column parked boolean not null default false;
create index sandbox_action_parked on sandbox_action (seq) where parked and finished_at is null;
`,
  },
  {
    id: 4,
    name: 'gates',
    sql: `
-- what dedupe, debounce and throttle go by; see gate.statements
alter table sandbox_action add column gate_key text, add column admitted_at timestamptz, add column due_at timestamptz;
create index sandbox_action_gate on sandbox_action (script_id, gate_key, seq) where gate_key is not null;
create index sandbox_action_admitted on sandbox_action (script_id, gate_key, admitted_at) where admitted_at is not null;
`,
  },
  {
    id: 5,
    name: 'commit order',
    sql: `
-- the transaction that wrote it, and what that one could see: so which of two was committed before the other was written;
-- see order.statements. Older rows go without: a default of their own would rewrite the table.
alter table sandbox_action add column written_by xid8, add column written_seeing pg_snapshot;
alter table sandbox_action alter column written_by set default pg_current_xact_id(),
  alter column written_seeing set default pg_current_snapshot();
`,
  },
];
