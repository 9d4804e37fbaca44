-- `unapplied` is what a payment without an invoice holds for its customer, in minor units; null where it holds nothing.
alter table payment_intent add column unapplied bigint;
create index payment_intent_unapplied on payment_intent (merchant, livemode, customer) where unapplied is not null;
