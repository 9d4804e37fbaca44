-- Whose the beginnings of invoice numbers are, by prefix. A row stays when its customer takes another
-- prefix: invoices with the old one are there. `customer` is empty where nobody may use a prefix any more.
create table invoice_prefix (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    customer text not null,
    primary key (merchant, livemode, id)
);

-- Merchants whose customers are older than that table: their prefixes are noted when the server starts,
-- page by page. `done_until` is the last one done; a row goes when all are.
create table invoice_prefix_opening (
    merchant text not null references merchant (id),
    livemode bigint not null,
    done_until text not null,
    primary key (merchant, livemode)
);
insert into invoice_prefix_opening (merchant, livemode, done_until) select id, 0, '' from merchant;
insert into invoice_prefix_opening (merchant, livemode, done_until) select id, 1, '' from merchant;
