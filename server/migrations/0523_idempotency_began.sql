-- Whether a request with this key has committed anything: if it stops half-way then, it must not be
-- done again.
alter table idempotency add column began bigint not null default 0;
