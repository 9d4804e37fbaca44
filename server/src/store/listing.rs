//! The API's lists. All bind `$5` and `$6`, the bounds of `sort` (microseconds; `created` in another
//! unit), then what each names. A filter that narrows much has a statement of its own, so that its
//! index serves it.

use super::document::ListSql;

/// The statements of [`ListSql`] over `$table`, within `$5 <= sort < $6` and each `$filter`. They walk
/// the list in its order; with `few` they find what the first filter names and put that in order, which
/// is for filters that name few rows of many.
macro_rules! listing {
    (few $table:literal, $($filter:literal),+) => {
        listing!(@ "sort + 0", $table, $($filter),+)
    };
    ($table:literal, $($filter:literal),+) => {
        listing!(@ "sort", $table, $($filter),+)
    };
    (@ $sort:literal, $table:literal, $($filter:literal),+) => {
        ListSql {
            older: concat!(
                "select body, revision, sort from ",
                $table,
                " where merchant = $1 and livemode = $2 and ",
                $sort,
                " >= $5 and ",
                $sort,
                " < $6 and ($3 = '' or ",
                $sort,
                " < (select sort from ",
                $table,
                " where merchant = $1 and livemode = $2 and id = $3))",
                $($filter,)+
                " order by ",
                $sort,
                " desc limit cast($4 as bigint)"
            ),
            newer: concat!(
                "select body, revision, sort from ",
                $table,
                " where merchant = $1 and livemode = $2 and ",
                $sort,
                " >= $5 and ",
                $sort,
                " < $6 and ",
                $sort,
                " > (select sort from ",
                $table,
                " where merchant = $1 and livemode = $2 and id = $3)",
                $($filter,)+
                " order by ",
                $sort,
                " asc limit cast($4 as bigint)"
            ),
        }
    };
}

/// Customers, not deleted.
pub const CUSTOMERS: ListSql = listing!("customer", " and deleted = 0");
/// Customers by e-mail (`$7`), not deleted.
pub const CUSTOMERS_BY_EMAIL: ListSql = listing!("customer", " and email = $7 and deleted = 0");
/// Customers of a test clock (`$7`), not deleted.
pub const CUSTOMERS_BY_TEST_CLOCK: ListSql =
    listing!("customer", " and test_clock = $7 and deleted = 0");
/// Test clocks.
pub const TEST_CLOCKS: ListSql = listing!("test_clock", "");
/// Products.
pub const PRODUCTS: ListSql = listing!("product", "");
/// Products by `active` (`$7`).
pub const PRODUCTS_BY_ACTIVE: ListSql = listing!("product", " and active = $7");
/// Prices by `active` (`$7`, -1 for both) and currency (`$8`, '' for all).
pub const PRICES: ListSql = listing!(
    "price",
    " and ($7 = -1 or active = $7) and ($8 = '' or currency = $8)"
);
/// Prices of a product (`$9`), filtered as [`PRICES`].
pub const PRICES_BY_PRODUCT: ListSql = listing!(
    "price",
    " and ($7 = -1 or active = $7) and ($8 = '' or currency = $8) and product = $9"
);
/// Prices by up to ten lookup keys (`$9` to `$18`), filtered as [`PRICES`].
pub const PRICES_BY_LOOKUP_KEY: ListSql = listing!(
    "price",
    " and ($7 = -1 or active = $7) and ($8 = '' or currency = $8) \
     and lookup_key in ($9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"
);
/// Coupons.
pub const COUPONS: ListSql = listing!("coupon", "");
/// Tax rates by `active` (`$7`, -1 for both).
pub const TAX_RATES: ListSql = listing!(
    "tax_rate",
    " and ($7 = -1 or active = $7) and ($8 = -1 or inclusive = $8)"
);
/// Portal configurations by `active` (`$7`) and `is_default` (`$8`), each -1 for both.
pub const PORTAL_CONFIGURATIONS: ListSql = listing!(
    "portal_configuration",
    " and ($7 = -1 or active = $7) and ($8 = -1 or is_default = $8)"
);
/// The statements of subscriptions' lists, all with the same places: statuses (any of up to eight, `$7`
/// to `$14`), customer (`$15`, '' for any), collection method (`$16`, '' for any), the bounds of the
/// latest start (`$17`, `$18`) and the earliest end (`$19`, `$20`) of their running periods (in seconds,
/// -1 for none), price (`$21`, '' for any), test clock (`$22`, '' for any), and whether those of test
/// clocks are among them (`$23`, 0 for no). `$first` narrows most.
macro_rules! subscriptions {
    ($($few:ident)? $first:literal) => {
        listing!(
            $($few)? "subscription",
            $first,
            " and status in ($7, $8, $9, $10, $11, $12, $13, $14) and ($15 = '' or customer = $15) \
             and ($16 = '' or collection_method = $16) \
             and ($17 = -1 or (period_start >= $17 and period_start < $18)) \
             and ($19 = -1 or (period_end >= $19 and period_end < $20)) \
             and ($21 = '' or id in (select subscription from subscription_price \
             where merchant = $1 and livemode = $2 and price = $21 and present = 1)) \
             and ($22 = '' or test_clock = $22) and ($23 = 1 or test_clock is null)"
        )
    };
}

/// Subscriptions.
pub const SUBSCRIPTIONS: ListSql = subscriptions!("");
/// Of a customer.
pub const SUBSCRIPTIONS_BY_CUSTOMER: ListSql = subscriptions!(" and customer = $15");
/// With a price: where few have it, and else.
pub const SUBSCRIPTIONS_BY_PRICE: [ListSql; 2] = [
    subscriptions!(
        few " and id in (select subscription from subscription_price \
         where merchant = $1 and livemode = $2 and price = $21 and present = 1)"
    ),
    SUBSCRIPTIONS,
];
/// Of a test clock.
pub const SUBSCRIPTIONS_BY_TEST_CLOCK: ListSql = subscriptions!(" and test_clock = $22");
/// By the earliest end of a running period: where few end then, and else.
pub const SUBSCRIPTIONS_BY_PERIOD_END: [ListSql; 2] = [
    subscriptions!(
        few " and id in (select id from subscription where merchant = $1 and livemode = $2 \
         and period_end >= $19 and period_end < $20)"
    ),
    SUBSCRIPTIONS,
];
/// By the latest start of a running period: where few begin then, and else.
pub const SUBSCRIPTIONS_BY_PERIOD_START: [ListSql; 2] = [
    subscriptions!(
        few " and id in (select id from subscription where merchant = $1 and livemode = $2 \
         and period_start >= $17 and period_start < $18)"
    ),
    SUBSCRIPTIONS,
];
/// By how they are collected.
pub const SUBSCRIPTIONS_BY_COLLECTION: ListSql = subscriptions!(" and collection_method = $16");

/// The statements of invoices' lists, all with the same places: status (`$7`, '' for all), subscription
/// (`$8`, '' for any), customer (`$9`, '' for any), collection method (`$10`, '' for any), and the
/// bounds of the due date (`$11`, `$12`, in seconds, -1 for none). `$first` narrows most.
macro_rules! invoices {
    ($($few:ident)? $first:literal) => {
        listing!(
            $($few)? "invoice",
            $first,
            " and ($7 = '' or status = $7) and ($8 = '' or subscription = $8) \
             and ($9 = '' or customer = $9) and ($10 = '' or collection_method = $10) \
             and ($11 = -1 or (due_date >= $11 and due_date < $12))"
        )
    };
}

/// Invoices.
pub const INVOICES: ListSql = invoices!("");
/// Of a subscription.
pub const INVOICES_BY_SUBSCRIPTION: ListSql = invoices!(" and subscription = $8");
/// Of a customer.
pub const INVOICES_BY_CUSTOMER: ListSql = invoices!(" and customer = $9");
/// With a due date: where few are due then, and else.
pub const INVOICES_BY_DUE_DATE: [ListSql; 2] = [
    invoices!(
        few " and id in (select id from invoice where merchant = $1 and livemode = $2 \
         and due_date is not null and due_date >= $11 and due_date < $12)"
    ),
    INVOICES,
];
/// Those that are sent.
pub const INVOICES_SENT: ListSql = invoices!(" and collection_method = 'send_invoice'");
/// By status.
pub const INVOICES_BY_STATUS: ListSql = invoices!(" and status = $7");
/// Setup intents.
pub const SETUP_INTENTS: ListSql = listing!("setup_intent", "");
/// Setup intents of a customer (`$7`).
pub const SETUP_INTENTS_BY_CUSTOMER: ListSql = listing!("setup_intent", " and customer = $7");
/// Payment methods of a customer (`$7`).
pub const PAYMENT_METHODS_BY_CUSTOMER: ListSql = listing!("payment_method", " and customer = $7");
/// Changes of a customer's (`$7`) balance.
pub const BALANCE_TRANSACTIONS: ListSql = listing!("balance_transaction", " and customer = $7");
/// Alerts that are not archived, by meter (`$7`, '' for all).
pub const ALERTS: ListSql = listing!(
    "billing_alert",
    " and status <> 'archived' and ($7 = '' or meter = $7)"
);
/// Meters by status (`$7`, '' for all).
pub const METERS: ListSql = listing!("meter", " and ($7 = '' or status = $7)");
/// Promotion codes by code (`$7`, folded), coupon (`$8`), customer (`$9`), each '' for all, and
/// `active` (`$10`, -1 for both).
pub const PROMOTION_CODES: ListSql = listing!(
    "promotion_code",
    " and ($7 = '' or code = $7) and ($8 = '' or coupon = $8) and ($9 = '' or owner = $9) \
     and ($10 = -1 or active = $10)"
);
/// Subscription schedules by customer (`$7`, '' for all), status (`$8`, '' for all), and the bounds
/// (from, until) of `canceled_at` (`$9`, `$10`), `completed_at` (`$11`, `$12`) and `released_at`
/// (`$13`, `$14`), in seconds; -1 for none.
pub const SCHEDULES: ListSql = listing!(
    "subscription_schedule",
    " and ($7 = '' or customer = $7) and ($8 = '' or status = $8) \
     and ($9 = -1 or (canceled_at >= $9 and canceled_at < $10)) \
     and ($11 = -1 or (completed_at >= $11 and completed_at < $12)) \
     and ($13 = -1 or (released_at >= $13 and released_at < $14))"
);
/// Invoice items: of a customer (`$7`, '' for all), waiting or not (`$8`, -1 for both), on an
/// invoice (`$9`, '' for any).
pub const INVOICE_ITEMS: ListSql = listing!(
    "invoice_item",
    " and ($7 = '' or customer = $7) and ($8 = -1 or ($8 = 1 and invoice is null) \
     or ($8 = 0 and invoice is not null)) and ($9 = '' or invoice = $9)"
);
/// Invoice items of a customer (`$7`), filtered as [`INVOICE_ITEMS`].
pub const INVOICE_ITEMS_BY_CUSTOMER: ListSql = listing!(
    "invoice_item",
    " and customer = $7 and ($8 = -1 or ($8 = 1 and invoice is null) \
     or ($8 = 0 and invoice is not null)) and ($9 = '' or invoice = $9)"
);
/// Payment intents.
pub const PAYMENT_INTENTS: ListSql = listing!("payment_intent", "");
/// Payment intents of a customer (`$7`).
pub const PAYMENT_INTENTS_BY_CUSTOMER: ListSql = listing!("payment_intent", " and customer = $7");
/// What pays invoices.
pub const INVOICE_PAYMENTS: ListSql = listing!("invoice_payment", "");
/// What pays one invoice (`$7`).
pub const INVOICE_PAYMENTS_BY_INVOICE: ListSql = listing!("invoice_payment", " and invoice = $7");
/// What is still to pay invoices.
pub const INVOICE_PAYMENTS_OPEN: ListSql = listing!("invoice_payment", " and standing = 'open'");
/// What has paid invoices.
pub const INVOICE_PAYMENTS_PAID: ListSql = listing!("invoice_payment", " and standing = 'paid'");
/// What was to pay invoices and was given up.
pub const INVOICE_PAYMENTS_CANCELED: ListSql =
    listing!("invoice_payment", " and standing = 'canceled'");
/// What pays one invoice (`$7`) and stands so (`$8`).
pub const INVOICE_PAYMENTS_BY_STANDING: ListSql =
    listing!("invoice_payment", " and invoice = $7 and standing = $8");
/// The merchant's own tax registrations.
pub const TAX_IDS: ListSql = listing!("tax_id", "");
/// Payments that the merchant reported.
pub const PAYMENT_RECORDS: ListSql = listing!("payment_record", "");
/// Credit notes.
pub const CREDIT_NOTES: ListSql = listing!("credit_note", "");
/// Credit notes of a customer (`$7`).
pub const CREDIT_NOTES_BY_CUSTOMER: ListSql = listing!("credit_note", " and customer = $7");
/// Credit notes of an invoice (`$7`) and perhaps customer (`$8`, '' for any).
pub const CREDIT_NOTES_BY_INVOICE: ListSql = listing!(
    "credit_note",
    " and invoice = $7 and ($8 = '' or customer = $8)"
);
/// Refunds.
pub const REFUNDS: ListSql = listing!("refund", "");
/// Refunds of a payment intent (`$7`).
pub const REFUNDS_BY_PAYMENT_INTENT: ListSql = listing!("refund", " and payment_intent = $7");
