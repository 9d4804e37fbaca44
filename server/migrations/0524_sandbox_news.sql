-- The number of the sandbox's newest news of cards. It is counted up in the transaction that tells the news,
-- so that news become visible in the order of their numbers, whichever process tells them.
create table sandbox_news (
    name text not null primary key,
    cursor bigint not null
);
insert into sandbox_news (name, cursor) select 'cards', coalesce(max(cursor), 0) from sandbox_card_update;
