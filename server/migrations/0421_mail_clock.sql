-- Mails that wait for a moment of a test clock are due by that clock only, like everything that
-- follows one: `due_at` stays null then.
alter table mail add column test_clock text;
alter table mail add column clock_due_at bigint;
create index mail_clock on mail (merchant, livemode, test_clock, clock_due_at) where test_clock is not null;
