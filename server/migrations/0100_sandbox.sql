-- The sandbox gateway's books, as if it were another company: nothing else reads or references them.
-- TEXT and BIGINT only; merchant and livemode lead every key.

-- A card that was turned into a token. Neither its number nor its security code is here: `behaviour`
-- says what the bank will answer, `fingerprint` is a keyed hash of the number.
create table sandbox_card (
    merchant text not null,
    livemode bigint not null,
    token text not null,
    brand text not null,
    last4 text not null,
    exp_month bigint not null,
    exp_year bigint not null,
    fingerprint text not null,
    funding text not null,
    country text,
    behaviour text not null,
    created bigint not null,
    primary key (merchant, livemode, token)
);

-- A set-up or a charge, once for each idempotency key. `request` is a hash of its parameters, so
-- that a key can't be used for something else. A row changes once at most: when its challenge is
-- answered, from requires_action to succeeded or declined.
create table sandbox_attempt (
    merchant text not null,
    livemode bigint not null,
    idempotency_key text not null,
    id text not null,
    kind text not null check (kind in ('set_up', 'charge')),
    session text not null check (session in ('attach', 'on_session', 'off_session')),
    token text not null,
    amount_minor bigint,
    currency text,
    description text,
    metadata text not null,
    request text not null,
    status text not null check (status in ('succeeded', 'declined', 'requires_action')),
    code text,
    decline_code text,
    challenge text,
    return_path text,
    answer text check (answer in ('approved', 'failed')),
    created bigint not null,
    primary key (merchant, livemode, idempotency_key)
);
create unique index sandbox_attempt_challenge on sandbox_attempt (merchant, livemode, challenge);
-- Whether a card was set up for payments without its holder.
create index sandbox_attempt_token on sandbox_attempt (merchant, livemode, token, kind, session, status);
