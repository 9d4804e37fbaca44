-- Items of an invoice, and payment intents and items of a customer, newest first, for the API's lists.
create index invoice_item_customer on invoice_item (merchant, livemode, customer, sort);
create index invoice_item_invoice on invoice_item (merchant, livemode, invoice, sort) where invoice is not null;
create index payment_intent_customer on payment_intent (merchant, livemode, customer, sort);
