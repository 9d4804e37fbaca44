-- What has been billed of a stretch of usage: see the domain's Span. `draft` is the draft whose line
-- bills it; `open` is 1 until it is settled for good, at `settles_at`. What follows a test clock has that
-- moment in `clock_due_at` instead.

create table usage_span (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    subscription text not null,
    draft text,
    open bigint not null,
    settles_at bigint,
    test_clock text,
    clock_due_at bigint,
    primary key (merchant, livemode, id)
);
create index usage_span_open on usage_span (merchant, livemode, subscription, sort) where open = 1;
create index usage_span_draft on usage_span (merchant, livemode, draft) where draft is not null;
create index usage_span_clock on usage_span (merchant, livemode, test_clock, clock_due_at) where test_clock is not null;
create index usage_span_due on usage_span (settles_at, merchant, livemode, id) where settles_at is not null;

-- Alerts, and whom they have been told of. `since` is when the alert began to watch, so that one that
-- is activated again tells again.
create table billing_alert (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    meter text not null,
    status text not null,
    primary key (merchant, livemode, id)
);
create unique index billing_alert_sort on billing_alert (merchant, livemode, sort);
create index billing_alert_meter on billing_alert (merchant, livemode, meter, status, sort);

create table billing_alert_told (
    merchant text not null references merchant (id),
    livemode bigint not null,
    alert text not null,
    since bigint not null,
    watched text not null,
    created bigint not null,
    primary key (merchant, livemode, alert, since, watched)
);
