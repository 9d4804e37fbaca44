-- What waits for a subscription's next invoice, for audits.
create index invoice_item_subscription on invoice_item (merchant, livemode, subscription) where invoice is null;
