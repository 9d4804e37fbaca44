-- Credit notes: invoices taken back, in part or whole.
create table credit_note (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text not null,
    invoice text not null,
    number text not null,
    primary key (merchant, livemode, id)
);
create unique index credit_note_sort on credit_note (merchant, livemode, sort);
create index credit_note_customer on credit_note (merchant, livemode, customer, sort);
create index credit_note_invoice on credit_note (merchant, livemode, invoice, sort);
create unique index credit_note_number on credit_note (merchant, livemode, number);

-- Refunds. `asked_at` is when a worker asks the gateway next what became of it.
create table refund (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    revision bigint not null,
    sort bigint not null,
    body text not null,
    customer text not null,
    payment_intent text not null,
    invoice text,
    asked_at bigint,
    test_clock text,
    clock_due_at bigint,
    shard bigint not null,
    primary key (merchant, livemode, id)
);
create unique index refund_sort on refund (merchant, livemode, sort);
create index refund_payment_intent on refund (merchant, livemode, payment_intent, sort);
create index refund_invoice on refund (merchant, livemode, invoice) where invoice is not null;
create index refund_asked on refund (shard, asked_at, merchant, livemode, id) where asked_at is not null;
create index refund_clock on refund (merchant, livemode, test_clock, clock_due_at) where test_clock is not null;

-- The sandbox's refunds, once for each idempotency key.
create table sandbox_refund (
    merchant text not null,
    livemode bigint not null,
    idempotency_key text not null,
    id text not null,
    charge text not null,
    amount_minor bigint not null,
    request text not null,
    status text not null,
    created bigint not null,
    primary key (merchant, livemode, idempotency_key)
);
create index sandbox_refund_charge on sandbox_refund (merchant, livemode, charge);
create index sandbox_attempt_id on sandbox_attempt (merchant, livemode, id);
