-- The API request that caused an event, and its idempotency key; null where nobody asked for it through
-- the API.
alter table event add column request text;
alter table event add column idempotency_key text;
