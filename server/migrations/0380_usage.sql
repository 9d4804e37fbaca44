-- Meters, and the events that they count. One active meter has an event name.
create table meter (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    event_name text not null,
    status text not null,
    primary key (merchant, livemode, id)
);
create unique index meter_sort on meter (merchant, livemode, sort);
create index meter_status on meter (merchant, livemode, status, sort);
create unique index meter_event_name on meter (merchant, livemode, event_name) where status = 'active';
create index meter_event_name_any on meter (merchant, livemode, event_name, sort);

-- A customer at a meter, as a number, so that the tables below stay narrow.
-- No references to the merchant from here on: checking one for each event costs more than the event,
-- and an account is only ever made for a merchant's own customer.
create table meter_account (
    merchant text not null,
    livemode bigint not null,
    meter text not null,
    customer text not null,
    account bigint not null,
    primary key (merchant, livemode, meter, customer)
);
create unique index meter_account_number on meter_account (merchant, livemode, account);
create index meter_account_customer on meter_account (merchant, livemode, customer);

-- One event. `at` is its moment; `place` is its order of receipt, in microseconds. The value is
-- `whole` units and `part` 10^-12ths (0 to 10^12 - 1); a meter of formula unique has it in `mark`.
-- A cancelled one stays, so that its identifier stays taken.
create table meter_event (
    merchant text not null,
    livemode bigint not null,
    identifier text not null,
    account bigint not null,
    at bigint not null,
    place bigint not null,
    whole bigint not null,
    part bigint not null,
    mark text,
    canceled bigint not null default 0,
    primary key (merchant, livemode, identifier)
);
create index meter_event_at on meter_event (merchant, livemode, account, at);
create index meter_event_mark on meter_event (merchant, livemode, account, mark, at) where mark is not null;

-- Running totals of an account by hour and day (`step`, in seconds) from `start`: what `whole`, `part`,
-- `at` and `place` mean depends on the meter's formula (see the domain's Total). The bounds stop sums
-- far beyond any business before 64 bits do.
create table meter_total (
    merchant text not null,
    livemode bigint not null,
    account bigint not null,
    step bigint not null,
    start bigint not null,
    events bigint not null,
    whole bigint not null check (whole between -4000000000000000000 and 4000000000000000000),
    part bigint not null,
    at bigint not null,
    place bigint not null,
    primary key (merchant, livemode, account, step, start)
);

-- The different values of an account at a meter of formula unique, each with its newest appearance.
create table meter_mark (
    merchant text not null,
    livemode bigint not null,
    account bigint not null,
    mark text not null,
    seen bigint not null,
    primary key (merchant, livemode, account, mark)
);
create index meter_mark_seen on meter_mark (merchant, livemode, account, seen);
