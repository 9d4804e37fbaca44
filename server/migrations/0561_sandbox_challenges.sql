-- Few attempts ask for a challenge: the others need no place in its index.
drop index sandbox_attempt_challenge;
create unique index sandbox_attempt_challenge on sandbox_attempt (merchant, livemode, challenge) where challenge is not null;
