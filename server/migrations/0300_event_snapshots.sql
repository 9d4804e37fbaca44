-- What an event tells of is kept as the aggregate itself (`noun` names which), and becomes the API's shape when it is read: that is
-- shorter, and one state is kept once however many events tell of it. `form` is the version of this way: 0 has the API's shape in
-- `body` already, 1 is the aggregate as of API version 2026-10-28.endive. `basis` is the `sort` of the event of the same merchant and
-- mode that has the whole aggregate; `body` has what is different then.
alter table event add column form bigint not null default 0;
alter table event add column noun text;
alter table event add column basis bigint;
