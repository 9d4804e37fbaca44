-- Subscription schedules. Phases change with their subscription's own due row; `due_at` is for what a
-- schedule does by itself: start, tell of its end, let go.
create table subscription_schedule (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text not null,
    subscription text,
    status text not null,
    due_at bigint,
    test_clock text,
    clock_due_at bigint,
    canceled_at bigint,
    completed_at bigint,
    released_at bigint,
    shard bigint not null,
    primary key (merchant, livemode, id)
);
create unique index subscription_schedule_sort on subscription_schedule (merchant, livemode, sort);
create index subscription_schedule_customer on subscription_schedule (merchant, livemode, customer, sort);
create index subscription_schedule_due on subscription_schedule (shard, due_at, merchant, livemode, id) where due_at is not null;
create index subscription_schedule_clock on subscription_schedule (merchant, livemode, test_clock, clock_due_at) where test_clock is not null;

-- Promotion codes. `code` is folded to lower case; `owner` is the customer it is for, or ''. Among
-- active codes, one code stands once for everybody and once for each customer.
create table promotion_code (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    code text not null,
    coupon text not null,
    owner text not null,
    active bigint not null,
    primary key (merchant, livemode, id)
);
create unique index promotion_code_sort on promotion_code (merchant, livemode, sort);
create unique index promotion_code_active on promotion_code (merchant, livemode, code, owner) where active = 1;
create index promotion_code_coupon on promotion_code (merchant, livemode, coupon, sort);
