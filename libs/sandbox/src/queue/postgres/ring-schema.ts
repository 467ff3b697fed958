/**
 * The library's own tables and functions beside BullMQ's, in the same schema. Safe to run again and by several processes
 * at once (the lock goes with the implicit transaction of a multi-statement query).
 *
 * The ring is unlogged: signals are hints, and a signal would otherwise cost a flush to disk. After a crash of the server
 * it is empty; the sweep and the relay fill it again. The deployment log is logged.
 */
export const RING_SCHEMA = `
select pg_advisory_xact_lock(1396785746, hashtext(current_schema()));
create table if not exists sandbox_queue_state (
  id boolean primary key default true check (id),
  epoch text not null default md5(random()::text || clock_timestamp()::text),
  deployments bigint not null default 0
);
insert into sandbox_queue_state default values on conflict do nothing;
create table if not exists sandbox_deployment (
  tenant_id text primary key,
  number bigint not null
);
create index if not exists sandbox_deployment_number on sandbox_deployment (number);
create sequence if not exists sandbox_ring_place;
create unlogged table if not exists sandbox_ring_ready (
  tenant_id text primary key,
  place bigint not null,
  -- nobody signalled it: it is only being looked at, once after it was taken
  checking boolean not null
);
create index if not exists sandbox_ring_ready_place on sandbox_ring_ready (place);
create unlogged table if not exists sandbox_ring_delayed (
  tenant_id text primary key,
  at_ms bigint not null,
  checking boolean not null
);
create index if not exists sandbox_ring_delayed_at on sandbox_ring_delayed (at_ms);

-- Rows are written in order of tenant, so that two signals never wait for each other in a circle.
create or replace function sandbox_ring_signal(p_tenants text[], p_channel text) returns void
language plpgsql set search_path from current as $$
begin
  insert into sandbox_ring_ready (tenant_id, place, checking)
  select tenant_id, place, false from (
    select tenant_id, nextval('sandbox_ring_place') as place
      from unnest(p_tenants) with ordinality as u (tenant_id, n) order by n offset 0
  ) as placed order by tenant_id
  on conflict (tenant_id) do update set checking = false where sandbox_ring_ready.checking;
  if found then perform pg_notify(p_channel, ''); end if;
end $$;

create or replace function sandbox_ring_put_back(p_tenants text[], p_channel text) returns void
language plpgsql set search_path from current as $$
declare v_before bigint := coalesce((select min(place) from sandbox_ring_ready), 0) - cardinality(p_tenants) - 1;
begin
  insert into sandbox_ring_ready as ready (tenant_id, place, checking)
  select tenant_id, v_before + n, false from unnest(p_tenants) with ordinality as u (tenant_id, n) order by tenant_id
  on conflict (tenant_id) do update set place = excluded.place, checking = false where ready.place > excluded.place;
  perform pg_notify(p_channel, '');
end $$;

create or replace function sandbox_ring_signal_at(p_tenant text, p_at bigint, p_channel text) returns void
language plpgsql set search_path from current as $$
begin
  if not exists (select 1 from sandbox_ring_delayed where at_ms <= p_at) then perform pg_notify(p_channel, ''); end if;
  insert into sandbox_ring_delayed (tenant_id, at_ms, checking) values (p_tenant, p_at, false)
  on conflict (tenant_id) do update set at_ms = excluded.at_ms, checking = false
   where sandbox_ring_delayed.at_ms > excluded.at_ms;
end $$;

create or replace function sandbox_ring_take(
  p_count integer, p_now bigint, p_check_at bigint, out tenant_ids text[], out next_at bigint
) language plpgsql set search_path from current as $$
begin
  with due as (
    delete from sandbox_ring_delayed where tenant_id in (
      select tenant_id from sandbox_ring_delayed where at_ms <= p_now order by at_ms limit 500 for update skip locked
    ) returning tenant_id, at_ms, checking
  )
  insert into sandbox_ring_ready (tenant_id, place, checking)
  select tenant_id, nextval('sandbox_ring_place'), checking from due order by at_ms
  on conflict do nothing;

  with popped as (
    delete from sandbox_ring_ready where tenant_id in (
      select tenant_id from sandbox_ring_ready order by place limit p_count for update skip locked
    ) returning tenant_id, place, checking
  ), later as (
    insert into sandbox_ring_delayed (tenant_id, at_ms, checking)
    select tenant_id, p_check_at, true from popped where not checking order by tenant_id
    on conflict (tenant_id) do update set at_ms = excluded.at_ms, checking = true
     where sandbox_ring_delayed.at_ms > excluded.at_ms
  )
  select array_agg(tenant_id order by place) into tenant_ids from popped;
  select min(at_ms) into next_at from sandbox_ring_delayed;
end $$;

-- The counter's row lock makes announcements commit in the order of their numbers, so a reader never skips one.
create or replace function sandbox_announce(p_tenant text) returns void
language plpgsql set search_path from current as $$
declare v_number bigint;
begin
  perform set_config('synchronous_commit', 'on', true);
  update sandbox_queue_state set deployments = deployments + 1 returning deployments into v_number;
  insert into sandbox_deployment (tenant_id, number) values (p_tenant, v_number)
  on conflict (tenant_id) do update set number = excluded.number;
end $$;
`;
