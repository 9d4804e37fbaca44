-- The rules that a session follows, beside its body, so that a page reads the visit and all that decides what it shows
-- in one statement.
alter table portal_session add column configuration text not null default '';
