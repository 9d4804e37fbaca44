-- The double-entry ledger. A row takes `amount` minor units from the account `credit` to the account
-- `debit` (the numbers are those of `Account::number`, `cause` those of `Cause::number`), so that all
-- rows together are zero. `document` is the invoice that it is about, or else the customer; `object`
-- what brought it. `customer` is set where the customer's balance moves, and only there: its index
-- stays small. Rows are never changed.
create table ledger_transfer (
    merchant text not null references merchant (id),
    livemode bigint not null,
    document text not null,
    sort bigint not null,
    debit bigint not null,
    credit bigint not null,
    amount bigint not null,
    currency text not null,
    cause bigint not null,
    object text,
    customer text,
    at bigint not null,
    primary key (merchant, livemode, document, sort)
);
create index ledger_transfer_customer on ledger_transfer (merchant, livemode, customer) where customer is not null;

-- Merchants whose documents are older than the ledger: what they amount to is booked when the server
-- starts, page by page. `invoice` and `customer` are the last ones done; a row goes when all are.
create table ledger_opening (
    merchant text not null references merchant (id),
    livemode bigint not null,
    invoice text not null,
    customer text not null,
    primary key (merchant, livemode)
);
insert into ledger_opening (merchant, livemode, invoice, customer) select id, 0, '', '' from merchant;
insert into ledger_opening (merchant, livemode, invoice, customer) select id, 1, '', '' from merchant;
