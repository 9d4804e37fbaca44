-- The next invoice number of a merchant's mode, where numbers run over all customers.
create table invoice_numbering (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    primary key (merchant, livemode, id)
);
create unique index invoice_numbering_sort on invoice_numbering (merchant, livemode, sort);
