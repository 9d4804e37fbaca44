-- Set while the gateway's answer to a set-up is outstanding, as on payment intents: a worker asks what
-- became of it when the answer got lost.
alter table setup_intent add column asked_at bigint;
create index setup_intent_asked on setup_intent (asked_at, merchant, livemode, id) where asked_at is not null;
