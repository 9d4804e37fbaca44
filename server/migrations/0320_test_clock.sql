-- Test clocks: a time of its own for some customers of a merchant's tests.
-- `due_at` is real time: when a worker moves the clock on, takes it over from a dead process, or
-- deletes it. Workers of all merchants read it.
create table test_clock (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    due_at bigint not null,
    primary key (merchant, livemode, id)
);
create unique index test_clock_sort on test_clock (merchant, livemode, sort);
create index test_clock_due on test_clock (due_at, merchant, livemode, id);

alter table customer add column test_clock text;
create index customer_test_clock on customer (merchant, livemode, test_clock, sort) where test_clock is not null;

-- What follows a test clock is due by its time, not by the real one: its moment stands in
-- `clock_due_at`, and `due_at` (or `asked_at`) stays null, so that only the clock's advance finds it.
alter table subscription add column test_clock text;
alter table subscription add column clock_due_at bigint;
create index subscription_clock on subscription (merchant, livemode, test_clock, clock_due_at) where test_clock is not null;

alter table invoice add column test_clock text;
alter table invoice add column clock_due_at bigint;
create index invoice_clock on invoice (merchant, livemode, test_clock, clock_due_at) where test_clock is not null;

alter table payment_intent add column test_clock text;
alter table payment_intent add column clock_due_at bigint;
create index payment_intent_clock on payment_intent (merchant, livemode, test_clock, clock_due_at) where test_clock is not null;

alter table setup_intent add column test_clock text;
alter table setup_intent add column clock_due_at bigint;
create index setup_intent_clock on setup_intent (merchant, livemode, test_clock, clock_due_at) where test_clock is not null;
