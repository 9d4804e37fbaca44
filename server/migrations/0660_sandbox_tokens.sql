-- Only set-ups are looked for by their card: charges, which are most attempts, need no place in the index.
drop index sandbox_attempt_token;
create index sandbox_attempt_set_up on sandbox_attempt (merchant, livemode, token, session, status) where kind = 'set_up';
