-- `standing` says how a payment of an invoice stands, as lists of invoice payments ask for it: open, paid or canceled.
-- Nearly all are paid, so only the others have an index of their own.
alter table payment_intent add column standing text not null default 'open';
update payment_intent set standing = 'paid' where body like '%"status":"succeeded"%';
update payment_intent set standing = 'canceled' where body like '%"status":"canceled"%';
create index payment_intent_open on payment_intent (merchant, livemode, sort) where standing = 'open';
create index payment_intent_canceled on payment_intent (merchant, livemode, sort) where standing = 'canceled';

drop view invoice_payment;
create view invoice_payment as
select merchant, livemode, id, revision, sort, body, invoice, standing from payment_intent where invoice is not null
union all
select merchant, livemode, id, revision, sort, body, invoice, 'paid' as standing from payment_record where invoice is not null;
