-- How far a gateway's news of cards have been read. Of the installation, not of a merchant: the
-- gateway tells them in one row for all.
create table card_news (
    gateway text not null primary key,
    cursor bigint not null
);

-- News of cards name the gateway's token.
alter table payment_method add column gateway_token text;
create index payment_method_token on payment_method (merchant, livemode, gateway_token, sort);

-- The sandbox's own news, as if another company kept them: a card got a new number or expiry.
create table sandbox_card_update (
    merchant text not null,
    livemode bigint not null,
    cursor bigint not null,
    token text not null,
    primary key (merchant, livemode, cursor)
);
create index sandbox_card_update_order on sandbox_card_update (cursor);
