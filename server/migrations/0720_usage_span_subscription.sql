-- The audit reads all spans of a range of subscriptions; billing those that are open of some. One index
-- serves both.
drop index usage_span_open;
create index usage_span_subscription on usage_span (merchant, livemode, subscription, open, sort);
