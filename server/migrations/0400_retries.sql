-- What was declined of each card, by its fingerprint: card schemes limit how often it may be asked.
-- hard is 1 where the bank said never.
create table card_decline (
    merchant text not null,
    livemode bigint not null,
    fingerprint text not null,
    declined_at bigint not null,
    attempt text not null,
    hard bigint not null,
    primary key (merchant, livemode, fingerprint, declined_at, attempt)
);
-- For forgetting them.
create index card_decline_age on card_decline (declined_at);

-- What came of automatic retries, until it is counted.
create table retry_outcome (
    merchant text not null,
    livemode bigint not null,
    sort bigint not null,
    traits text not null,
    recovered bigint not null,
    primary key (merchant, livemode, sort)
);

-- The counts: how often attempts with a trait went through, and how often not.
create table retry_tally (
    merchant text not null,
    livemode bigint not null,
    name text not null,
    recovered bigint not null,
    failed bigint not null,
    primary key (merchant, livemode, name)
);
