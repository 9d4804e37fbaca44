-- Mails, from the decision to send one: written in the transaction of what causes them, so that a mail
-- is there exactly when its cause is. The text is made when it is sent.
--
-- `cause` names what happened (`receipt:in_…`); its index is what makes a mail exist once. `due_at` is
-- the moment of the next try, 0 for at once, null when there is nothing left to do. A worker claims a
-- mail by moving it ahead, so a mail whose worker dies falls due again by itself. `tries` counts the
-- claims: whoever comes back with an old count has lost the mail to another worker. `copies` counts how
-- often it was sent once more because its reader asked.
create table mail (
    merchant text not null references merchant (id),
    livemode bigint not null,
    id text not null,
    cause text not null,
    kind text not null,
    customer text not null,
    object text not null,
    facts text not null,
    created bigint not null,
    state text not null,
    due_at bigint,
    tries bigint not null,
    refusals bigint not null,
    copies bigint not null,
    recipient text,
    reason text,
    settled_at bigint,
    primary key (merchant, livemode, id)
);
create unique index mail_cause on mail (merchant, livemode, cause);
create index mail_due on mail (due_at, merchant, livemode, id) where due_at is not null;
create index mail_set_aside on mail (merchant, livemode, settled_at) where state = 'set_aside';
create index mail_settled on mail (settled_at) where settled_at is not null;

-- Links in mails. Kept as SHA-256 only, like all secrets that lead somewhere.
create table mail_link (
    hash text not null primary key,
    purpose text not null,
    merchant text not null references merchant (id),
    livemode bigint not null,
    mail text not null,
    expires_at bigint not null
);
create index mail_link_expiry on mail_link (expires_at);
