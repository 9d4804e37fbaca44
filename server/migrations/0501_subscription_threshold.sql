-- Subscriptions that have, or have had, a threshold at which usage is billed early: what is looked at
-- when their customers use something.
create table subscription_threshold (
    merchant text not null references merchant (id),
    livemode bigint not null,
    customer text not null,
    subscription text not null,
    primary key (merchant, livemode, customer, subscription)
);
