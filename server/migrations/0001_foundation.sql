-- The foundation. TEXT and BIGINT only, so that one text serves both databases.
-- Every table but the first two starts its keys and indexes with merchant and livemode: no query can
-- reach another merchant's rows, and Postgres can be sharded by merchant.
-- An aggregate is one row: `body` is its JSON, `revision` counts its saves, `sort` (microseconds,
-- unique) is its place in lists, and the columns after it are what queries filter by.

create table merchant (
    id text not null primary key,
    name text not null,
    created bigint not null,
    body text not null,
    revision bigint not null,
    sort bigint not null
);

-- Keys are found by their hash; the key itself is shown once and kept nowhere.
create table api_key (
    hash text not null primary key,
    id text not null,
    merchant text not null references merchant (id),
    livemode bigint not null,
    hint text not null,
    created bigint not null,
    revoked_at bigint
);
create index api_key_merchant on api_key (merchant, livemode, created);

create table customer (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    email text,
    deleted bigint not null,
    primary key (merchant, livemode, id)
);
create unique index customer_sort on customer (merchant, livemode, sort);
create index customer_email on customer (merchant, livemode, email, sort);

create table product (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    active bigint not null,
    primary key (merchant, livemode, id)
);
create unique index product_sort on product (merchant, livemode, sort);
create index product_active on product (merchant, livemode, active, sort);

create table price (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    product text not null,
    active bigint not null,
    currency text not null,
    lookup_key text,
    primary key (merchant, livemode, id)
);
create unique index price_sort on price (merchant, livemode, sort);
create index price_product on price (merchant, livemode, product, sort);
create unique index price_lookup_key on price (merchant, livemode, lookup_key) where lookup_key is not null;

create table coupon (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    primary key (merchant, livemode, id)
);
create unique index coupon_sort on coupon (merchant, livemode, sort);

create table tax_rate (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    active bigint not null,
    primary key (merchant, livemode, id)
);
create unique index tax_rate_sort on tax_rate (merchant, livemode, sort);

-- `due_at` is the next moment at which something must happen to the subscription by itself. Workers
-- of all merchants read it, so its index starts with the moment.
create table subscription (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text not null,
    status text not null,
    due_at bigint,
    primary key (merchant, livemode, id)
);
create unique index subscription_sort on subscription (merchant, livemode, sort);
create index subscription_customer on subscription (merchant, livemode, customer, sort);
create index subscription_status on subscription (merchant, livemode, status, sort);
create index subscription_due on subscription (due_at, merchant, livemode, id) where due_at is not null;

-- `due_at` as above: finalising a draft, charging, retrying.
create table invoice (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text not null,
    subscription text,
    status text not null,
    number text,
    due_at bigint,
    primary key (merchant, livemode, id)
);
create unique index invoice_sort on invoice (merchant, livemode, sort);
create index invoice_customer on invoice (merchant, livemode, customer, sort);
create index invoice_subscription on invoice (merchant, livemode, subscription, sort);
create index invoice_status on invoice (merchant, livemode, status, sort);
create unique index invoice_number on invoice (merchant, livemode, number) where number is not null;
create index invoice_due on invoice (due_at, merchant, livemode, id) where due_at is not null;

create table invoice_item (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text not null,
    subscription text,
    invoice text,
    primary key (merchant, livemode, id)
);
create unique index invoice_item_sort on invoice_item (merchant, livemode, sort);
create index invoice_item_pending on invoice_item (merchant, livemode, customer, sort) where invoice is null;

create table balance_transaction (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text not null,
    primary key (merchant, livemode, id)
);
create unique index balance_transaction_customer on balance_transaction (merchant, livemode, customer, sort);

create table payment_method (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text,
    primary key (merchant, livemode, id)
);
create unique index payment_method_sort on payment_method (merchant, livemode, sort);
create index payment_method_customer on payment_method (merchant, livemode, customer, sort);

create table setup_intent (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text,
    primary key (merchant, livemode, id)
);
create unique index setup_intent_sort on setup_intent (merchant, livemode, sort);
create index setup_intent_customer on setup_intent (merchant, livemode, customer, sort);

-- `asked_at` is set while the gateway's answer is outstanding: after a crash a worker asks again.
create table payment_intent (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text not null,
    invoice text,
    asked_at bigint,
    primary key (merchant, livemode, id)
);
create unique index payment_intent_sort on payment_intent (merchant, livemode, sort);
create index payment_intent_invoice on payment_intent (merchant, livemode, invoice, sort);
create index payment_intent_asked on payment_intent (asked_at, merchant, livemode, id) where asked_at is not null;

create table portal_configuration (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    active bigint not null,
    is_default bigint not null,
    primary key (merchant, livemode, id)
);
create unique index portal_configuration_sort on portal_configuration (merchant, livemode, sort);
create unique index portal_configuration_default on portal_configuration (merchant, livemode) where is_default = 1;

create table portal_session (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text not null,
    primary key (merchant, livemode, id)
);
create unique index portal_session_customer on portal_session (merchant, livemode, customer, sort);

-- Two kinds of secrets lead to a portal session: `link` (in the URL, works once, for minutes) and
-- `visit` (in the cookie, from the link's exchange on). Both are kept as SHA-256 only.
create table portal_key (
    hash text not null primary key,
    kind text not null,
    merchant text not null references merchant (id),
    livemode bigint not null,
    session text not null,
    expires_at bigint not null,
    used_at bigint
);
create index portal_key_expiry on portal_key (expires_at);
create index portal_key_session on portal_key (merchant, livemode, session);

create table quote (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    subscription text not null,
    expires_at bigint not null,
    primary key (merchant, livemode, id)
);
create index quote_expiry on quote (expires_at);

-- What happened, in the same transaction as the change that it tells of.
create table event (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    sort bigint not null,
    type text not null,
    object text not null,
    created bigint not null,
    body text not null,
    primary key (merchant, livemode, id)
);
create unique index event_sort on event (merchant, livemode, sort);
create index event_type on event (merchant, livemode, type, sort);

-- The first answer to each idempotency key. `status` is null while the request is under way.
create table idempotency (
    merchant text not null references merchant (id),
    livemode bigint not null,
    key text not null,
    fingerprint text not null,
    status bigint,
    body text,
    created bigint not null,
    primary key (merchant, livemode, key)
);
create index idempotency_age on idempotency (created);
