-- Which subscription an item is of, so that a call can name the item alone. The item itself is in the
-- subscription's body; a row stays when its item goes.
create table subscription_item (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    subscription text not null,
    customer text not null,
    primary key (merchant, livemode, id)
);

-- Merchants whose subscriptions are older than that table: their items are noted when the server
-- starts, page by page. `subscription` is the last one done; a row goes when all are.
create table subscription_item_opening (
    merchant text not null references merchant (id),
    livemode bigint not null,
    subscription text not null,
    primary key (merchant, livemode)
);
insert into subscription_item_opening (merchant, livemode, subscription) select id, 0, '' from merchant;
insert into subscription_item_opening (merchant, livemode, subscription) select id, 1, '' from merchant;
