-- Money that came past the gateway, as the merchant reports it, and the invoice that it was attached to.
create table payment_record (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text,
    invoice text,
    primary key (merchant, livemode, id)
);
create unique index payment_record_sort on payment_record (merchant, livemode, sort);
create index payment_record_invoice on payment_record (merchant, livemode, invoice, sort) where invoice is not null;

-- All that pays invoices, for lists: each is shown as an invoice payment.
create view invoice_payment as
select merchant, livemode, id, revision, sort, body, invoice from payment_intent where invoice is not null
union all
select merchant, livemode, id, revision, sort, body, invoice from payment_record where invoice is not null;
