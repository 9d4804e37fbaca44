-- Events are told apart by a number made from merchant, mode and identifier (see `store::usage::key`), and
-- found by their account's number, which belongs to one merchant and mode: indexes of numbers are a
-- quarter as large as those of texts, and each event touches a page of them. Rows of before get their
-- number when the server starts.
alter table meter_event rename to meter_event_before;
drop index meter_event_at;
drop index meter_event_mark;
create table meter_event (
    merchant text not null,
    livemode bigint not null,
    key bigint,
    identifier text not null,
    account bigint not null,
    at bigint not null,
    place bigint not null,
    whole bigint not null,
    part bigint not null,
    mark text,
    canceled bigint not null default 0
);
insert into meter_event (merchant, livemode, key, identifier, account, at, place, whole, part, mark, canceled)
    select merchant, livemode, null, identifier, account, at, place, whole, part, mark, canceled
    from meter_event_before;
drop table meter_event_before;
create unique index meter_event_key on meter_event (key);
create index meter_event_keyless on meter_event (merchant, livemode, identifier) where key is null;
create index meter_event_at on meter_event (account, at);
create index meter_event_mark on meter_event (account, mark, at) where mark is not null;
