-- What lists of subscriptions and invoices are narrowed by.
alter table subscription add column collection_method text not null default 'charge_automatically';
-- The latest start of its items' running periods, and the earliest end.
alter table subscription add column period_start bigint;
alter table subscription add column period_end bigint;
create index subscription_collection on subscription (merchant, livemode, collection_method, sort);
-- Serves both: a range of starts is found in the index alone. One index, because each renewal moves it.
create index subscription_period on subscription (merchant, livemode, period_end, period_start, id);
create index subscription_clock_list on subscription (merchant, livemode, test_clock, sort) where test_clock is not null;

alter table invoice add column collection_method text not null default 'charge_automatically';
alter table invoice add column due_date bigint;
-- Only those that are sent: of the others there is nothing to find that the list itself does not show.
create index invoice_sent on invoice (merchant, livemode, sort) where collection_method = 'send_invoice';
create index invoice_due_date on invoice (merchant, livemode, due_date, id) where due_date is not null;
update invoice set collection_method = 'send_invoice' where body like '%"collection_method":"send_invoice"%';

-- Which prices a subscription has (`present` 1) or has had (0).
create table subscription_price (
    merchant text not null references merchant (id),
    livemode bigint not null,
    price text not null,
    subscription text not null,
    present bigint not null,
    primary key (merchant, livemode, price, subscription)
);

-- Older subscriptions get all that when the server starts, in the steps that note their items.
delete from subscription_item_opening;
insert into subscription_item_opening (merchant, livemode, subscription) select id, 0, '' from merchant;
insert into subscription_item_opening (merchant, livemode, subscription) select id, 1, '' from merchant;
