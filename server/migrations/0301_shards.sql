-- Due work is cut into 32 shards, by customer, so that processes on one database share it. Rows that were there before are all of
-- shard 0 until they are saved again.
alter table subscription add column shard bigint not null default 0;
alter table invoice add column shard bigint not null default 0;
alter table payment_intent add column shard bigint not null default 0;
alter table setup_intent add column shard bigint not null default 0;
drop index subscription_due;
drop index invoice_due;
drop index payment_intent_asked;
drop index setup_intent_asked;
create index subscription_due on subscription (shard, due_at, merchant, livemode, id) where due_at is not null;
create index invoice_due on invoice (shard, due_at, merchant, livemode, id) where due_at is not null;
create index payment_intent_asked on payment_intent (shard, asked_at, merchant, livemode, id) where asked_at is not null;
create index setup_intent_asked on setup_intent (shard, asked_at, merchant, livemode, id) where asked_at is not null;

-- Who works on a shard, and until when nobody else does. A process that dies stops renewing; others take over after `until`.
create table work_lease (
    shard bigint not null primary key,
    holder text,
    until bigint not null
);
insert into work_lease (shard, holder, until) values
    (0, null, 0), (1, null, 0), (2, null, 0), (3, null, 0), (4, null, 0), (5, null, 0), (6, null, 0), (7, null, 0),
    (8, null, 0), (9, null, 0), (10, null, 0), (11, null, 0), (12, null, 0), (13, null, 0), (14, null, 0), (15, null, 0),
    (16, null, 0), (17, null, 0), (18, null, 0), (19, null, 0), (20, null, 0), (21, null, 0), (22, null, 0), (23, null, 0),
    (24, null, 0), (25, null, 0), (26, null, 0), (27, null, 0), (28, null, 0), (29, null, 0), (30, null, 0), (31, null, 0);

-- The processes that work, so that each takes its fair share of the shards.
create table work_process (
    id text not null primary key,
    started bigint not null,
    until bigint not null
);

-- Due work that fails by itself: set aside with its reason, and tried again at `next_at`.
create table work_failure (
    merchant text not null references merchant (id),
    livemode bigint not null,
    kind text not null,
    id text not null,
    reason text not null,
    attempts bigint not null,
    since bigint not null,
    next_at bigint not null,
    primary key (merchant, livemode, kind, id)
);
create index work_failure_next on work_failure (next_at);

-- What workers have done since the beginning, by kind.
create table work_tally (
    kind text not null primary key,
    done bigint not null,
    failed bigint not null
);
