-- Which customer a tax id is of, so that a call can name the tax id alone. The tax id itself is in the
-- customer's body; a row stays when its tax id goes.
create table customer_tax_id (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    customer text not null,
    primary key (merchant, livemode, id)
);

-- Merchants whose customers are older than that table: their tax ids are noted when the server starts,
-- page by page. `done_until` is the last one done; a row goes when all are.
create table customer_tax_id_opening (
    merchant text not null references merchant (id),
    livemode bigint not null,
    done_until text not null,
    primary key (merchant, livemode)
);
insert into customer_tax_id_opening (merchant, livemode, done_until) select id, 0, '' from merchant;
insert into customer_tax_id_opening (merchant, livemode, done_until) select id, 1, '' from merchant;
