-- Settling usage for good is due work like any other: found by shard, shared between processes. Rows of
-- before keep the first shard until they are saved again.
alter table usage_span add column shard bigint not null default 0;
drop index usage_span_due;
create index usage_span_due on usage_span (shard, settles_at, merchant, livemode, id) where settles_at is not null;
