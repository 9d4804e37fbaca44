-- Tax registrations of the merchant itself. Those of customers are kept with the customer.
create table tax_id (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    primary key (merchant, livemode, id)
);
create unique index tax_id_sort on tax_id (merchant, livemode, sort);
