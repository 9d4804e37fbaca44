-- `asked_at` is the moment at which a worker asks the gateway next what became of a charge or set-up:
-- also of one that waits for the customer's proof, since a browser may never come back. Those that
-- wait already are asked after at once.
update payment_intent set asked_at = 0 where asked_at is null and body like '%"status":"requires_action"%';
update setup_intent set asked_at = 0 where asked_at is null and body like '%"status":"requires_action"%';
