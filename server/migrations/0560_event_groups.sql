-- Events lie in groups: those that one transaction tells stand in one row, up to 64 of them, so that a renewal does not pay for eight
-- rows with four keys each. `sort` is the group's place in lists; an event's own is that and the `n` of its entry. `events` says how
-- many there are. `body` is a JSON array; `server/src/store/event.rs` says what an entry has.
create table event_group (
    merchant text not null,
    livemode bigint not null,
    sort bigint not null,
    events bigint not null,
    body text not null,
    primary key (merchant, livemode, sort)
);

-- Which groups have events of a type, and how many.
create table event_kind (
    merchant text not null,
    livemode bigint not null,
    type text not null,
    sort bigint not null,
    events bigint not null,
    primary key (merchant, livemode, type, sort)
);

-- Ids of events from before: those of later ones say themselves where the event lies.
create table event_former (
    merchant text not null,
    livemode bigint not null,
    id text not null,
    sort bigint not null,
    primary key (merchant, livemode, id)
);

insert into event_former (merchant, livemode, id, sort) select merchant, livemode, id, sort from event;
insert into event_kind (merchant, livemode, type, sort, events) select merchant, livemode, type, sort, 1 from event;
insert into event_group (merchant, livemode, sort, events, body)
select merchant, livemode, sort, 1,
    '[{"n":0,"i":"' || id || '","t":"' || type || '","o":"' || object || '","c":' || cast(created as text)
    || case when noun is null then '' else ',"m":"' || noun || '"' end
    || case when basis is null then '' else ',"b":' || cast(basis as text) end
    || case when request is null then '' else ',"r":"' || request || '"' end
    || case when idempotency_key is null then ''
        else ',"k":"' || replace(replace(idempotency_key, '\', '\\'), '"', '\"') || '"' end
    || case when body = '' then '' else ',"d":' || body end
    || '}]'
from event;
drop table event;
