-- Secrets that the installation makes for itself, once. They belong to no merchant.
create table installation (
    name text not null primary key,
    value text not null
);
